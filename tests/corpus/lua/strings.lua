-- Strings: patterns, formats, packing, long buffers.
local words = {}
for word in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words, function(a, b) return #a < #b or #a == #b and a < b end)
print(table.concat(words, ","), #words)
print(("hello world"):gsub("o", { o = "0" }), ("abc"):rep(3, "-"), ("x=1, y=2"):gsub("(%w)=(%d)", "%2=%1"))
print(string.format("%5d|%-5s|%05.2f|%x|%q|%g", 42, "ab", math.pi, 255, 'a "quoted"\n', 1e100))
print(string.pack("<i4z", 7, "x"):byte(1, -1))
print(string.unpack("<d", string.pack("<d", -0.5)))
print(("%bxy"):find("%", 1, true), ("f(a(b)c)d"):match("%b()"), ("  trim "):match("^%s*(.-)%s*$") .. "|")
print(utf8.char(233, 8364, 128512), utf8.len("é€"), #utf8.char(128512))
local parts = {}
for i = 1, 20000 do parts[#parts + 1] = i % 7 end
local text = table.concat(parts)
print(#text, select(2, text:gsub("[135]", "")), text:reverse():sub(1, 10))
print(tostring(1e15), 10 // 3, -7 // 2, -7 % 3, 7 / 2, 2 ^ 53, 1 << 62, "10" + 5, 0x7fffffffffffffff + 1)
print(os.time({ year = 2026, month = 1, day = 31, hour = 12 }) - os.time({ year = 2026, month = 1, day = 30, hour = 12 }))
