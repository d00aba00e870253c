-- Tables, metatables and the garbage collector in both modes.
local Vector = {}
Vector.__index = Vector
function Vector.new(x, y) return setmetatable({ x = x, y = y }, Vector) end
Vector.__add = function(a, b) return Vector.new(a.x + b.x, a.y + b.y) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Vector.__tostring = function(v) return "(" .. v.x .. "," .. v.y .. ")" end
Vector.__len, Vector.__call = function() return 2 end, function(v, k) return v.x * k end
local sum = Vector.new(0, 0)
for i = 1, 100000 do sum = sum + Vector.new(i, -i) end
print(sum, #sum, sum(2), sum == Vector.new(5000050000, -5000050000))
local weak, finalized = setmetatable({}, { __mode = "k" }), 0
for i = 1, 1000 do
  local key = setmetatable({}, { __gc = function() finalized = finalized + 1 end })
  weak[key] = i
end
collectgarbage(); collectgarbage()
print(next(weak) == nil, finalized)
collectgarbage("generational")
local list = {}
for i = 1, 200000 do list[i % 1000 + 1] = { i, tostring(i) } end
print(#list, list[1][2], list[500][1])
collectgarbage("incremental")
local primes, sieve = {}, {}
for i = 2, 20000 do
  if not sieve[i] then
    primes[#primes + 1] = i
    for k = i * i, 20000, i do sieve[k] = true end
  end
end
print(#primes, primes[#primes])
table.move(primes, 1, 5, 3); table.insert(primes, 1, "first"); print(table.remove(primes, 2), primes[1], primes[6])
math.randomseed(42)
local keys = {}
for k in pairs({ a = 1, b = 2, c = 3, [1] = 4, [2.5] = 5 }) do keys[#keys + 1] = tostring(k) end
table.sort(keys); print(table.concat(keys, " "))
print(arg[1], arg[2], #arg)
