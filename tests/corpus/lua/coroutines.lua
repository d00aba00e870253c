-- Coroutines, closures, and errors that unwind by longjmp.
local function permutations(list, n)
  n = n or #list
  if n <= 1 then coroutine.yield(list) end
  for i = 1, n do
    list[n], list[i] = list[i], list[n]
    permutations(list, n - 1)
    list[n], list[i] = list[i], list[n]
  end
end
local count, last = 0, nil
for list in coroutine.wrap(function() permutations({ 1, 2, 3, 4, 5, 6 }) end) do
  count, last = count + 1, table.concat(list)
end
print(count, last)
local function counter() local n = 0; return function(step) n = n + (step or 1); return n end end
local a, b = counter(), counter()
print(a(), a(5), b(), a())
print(select(2, pcall(error, { code = 7 })).code)
print(pcall(function() local x = nil; return x.field end))
print(select(2, pcall(function() error("with position") end)))
print(xpcall(function() return 1 + {} end, function(message) return "handled: " .. message:match("attempt.*") end))
local deep = 0
local function recurse() deep = deep + 1; return 1 + recurse() end
local ok, message = pcall(recurse)
print(ok, deep > 1000, tostring(message):match("stack overflow") )
for i = 1, 20000 do
  local ok, err = pcall(error, i, 0)
  assert(not ok and err == i)
end
local co = coroutine.create(function(x) local y = coroutine.yield(x * 2); error("in coroutine " .. y) end)
print(coroutine.resume(co, 4)); print(coroutine.resume(co, "z")); print(coroutine.status(co))
do local guard <close> = setmetatable({}, { __close = function() print("closed") end }) end
print(select("#", table.unpack({}, 1, 50)), (load("return ..., 2"))(1))
