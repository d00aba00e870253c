PRAGMA page_size = 4096;
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, born INT CHECK (born > 1500), note TEXT);
INSERT INTO people(name, born, note) VALUES ('Ada', 1815, 'engine'), ('Blaise', 1623, NULL), ('Carl', 1777, 'sums'),
  ('Dorothy', 1910, 'crystals'), ('Emmy', 1882, 'rings'), ('Leonhard', 1707, 'all');
CREATE INDEX by_year ON people(born DESC);
CREATE TABLE works(person INT REFERENCES people(id) ON DELETE CASCADE, title TEXT COLLATE NOCASE, year INT);
INSERT INTO works SELECT id, name || ' ' || value, born + value * 7 FROM people, (WITH RECURSIVE n(value) AS
  (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 40) SELECT value FROM n);
SELECT count(*), min(year), max(year), avg(year), total(person), group_concat(DISTINCT person) FROM works;
SELECT name, count(*) AS n, sum(year % 10) FROM people JOIN works ON person = id GROUP BY id HAVING n > 3 ORDER BY name;
SELECT p.name, q.name FROM people p LEFT JOIN people q ON q.born BETWEEN p.born - 100 AND p.born - 1 ORDER BY 1, 2;
SELECT name, born, rank() OVER (ORDER BY born), lag(name) OVER (ORDER BY born), sum(born) OVER
  (ORDER BY born ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), ntile(2) OVER (ORDER BY name DESC) FROM people ORDER BY born;
WITH RECURSIVE mandel(cx, cy, x, y, i) AS (SELECT a.v / 12.0 - 2, b.v / 6.0 - 1, 0.0, 0.0, 0 FROM
  (WITH RECURSIVE s(v) AS (SELECT 0 UNION ALL SELECT v + 2 FROM s WHERE v < 34) SELECT v FROM s) a,
  (WITH RECURSIVE s(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM s WHERE v < 12) SELECT v FROM s) b
  UNION ALL SELECT cx, cy, x*x - y*y + cx, 2.0*x*y + cy, i + 1 FROM mandel WHERE x*x + y*y < 4.0 AND i < 20)
  SELECT cy, group_concat(substr(' .+*#', 1 + min(i / 5, 4), 1), '') FROM
  (SELECT cx, cy, max(i) AS i FROM mandel GROUP BY cx, cy ORDER BY cy, cx) GROUP BY cy;
CREATE VIEW old AS SELECT * FROM people WHERE born < 1800;
SELECT name, typeof(note), coalesce(note, 'none'), upper(name), length(name), instr(name, 'a'), hex(name) FROM old;
CREATE TABLE log(what TEXT, n INT);
CREATE TRIGGER logged AFTER UPDATE OF born ON people WHEN new.born <> old.born BEGIN
  INSERT INTO log VALUES (old.name || '->' || new.name, new.born - old.born); END;
UPDATE people SET born = born + 1 WHERE id % 2;
SELECT * FROM log ORDER BY rowid;
INSERT INTO people(name, born) VALUES ('Ada', 1900) ON CONFLICT (name) DO UPDATE SET born = excluded.born RETURNING id, born;
BEGIN; DELETE FROM works WHERE year > 1900; SELECT changes(), total_changes() > 0; SAVEPOINT s;
DELETE FROM works; ROLLBACK TO s; SELECT count(*) FROM works; ROLLBACK; SELECT count(*) FROM works;
SELECT twice(21), twice(name) FROM people WHERE id = 1;
SELECT name FROM people ORDER BY name COLLATE by_length;
SELECT json_extract('{"a":[1,2,{"b":"c"}]}', '$.a[2].b'), json_group_array(born) FROM people;
SELECT key, value, type FROM json_each('{"x":1.5,"y":null,"z":[true,false]}');
SELECT date('2026-01-31', '+1 month', 'weekday 0'), strftime('%Y-%j %H:%M', 1700000000, 'unixepoch'), julianday('2000-01-01');
SELECT printf('%05.2f|%x|%-6s|%,d', 3.14159, 255, 'ab', 1234567), round(2.675, 2), 7 / 2, 7 % -3, -7 / 2, 1e300 * 1e10;
SELECT abs(-9223372036854775807), 9223372036854775807 + 1, CAST('12abc' AS INT), '10' + 5, 'a' LIKE 'A', 'abc' GLOB 'a*';
SELECT sqrt(2.0), exp(1.0), ln(10.0), sin(1.0), pow(2, 0.5), ceil(1.2), floor(-1.2);
CREATE VIRTUAL TABLE docs USING fts5(title, body);
INSERT INTO docs SELECT title, 'the quick brown fox ' || year || ' jumps over ' || title FROM works;
SELECT count(*), max(rank) < 0 FROM docs WHERE docs MATCH 'ada AND fox';
SELECT snippet(docs, 1, '[', ']', '...', 4) FROM docs WHERE docs MATCH '"emmy 4"';
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);
INSERT INTO boxes SELECT rowid, rowid, rowid + 5, year - 1600, year - 1590 FROM works;
SELECT count(*), sum(id) FROM boxes WHERE x0 > 50 AND x1 < 120 AND y0 > 100;
CREATE TABLE gen(a INT, b INT GENERATED ALWAYS AS (a * a) STORED, c TEXT AS ('n' || a) VIRTUAL) STRICT;
INSERT INTO gen(a) VALUES (3), (4); SELECT * FROM gen;
SELECT * FROM no_such_table;
INSERT INTO people(name, born) VALUES ('Nobody', 3), ('X', 'y');
EXPLAIN QUERY PLAN SELECT * FROM people WHERE born = 1707;
SELECT quote(zeroblob(4)), quote(x'0102'), quote('it''s'), unicode('é'), char(233, 8364), trim('  x '), replace('aXbX', 'X', 'yy');
WITH t(a, b) AS (VALUES (1, 'x'), (2, 'y'), (3, 'x')) SELECT b, sum(a) FILTER (WHERE a > 1) FROM t GROUP BY b;
VACUUM; PRAGMA integrity_check; PRAGMA foreign_keys = ON; DELETE FROM people WHERE name = 'Carl'; SELECT count(*) FROM works;
