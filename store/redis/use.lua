-- KEYS: the count of a credential. ARGV: how many uses there are at most; until
-- when the count matters, in ms since 1970; how long it is kept at least, in ms.
-- Answers 1 and the time when one was left, else 0 and the time.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local ms = math.floor(now / 1000)
local known = redis.call('GET', KEYS[1])
local uses, ends = 0, math.max(tonumber(ARGV[2]), ms + tonumber(ARGV[3]))
if known then
  local n, e = cmsgpack.unpack(known)
  uses, ends = n, math.max(ends, e)
end
if uses >= tonumber(ARGV[1]) then return {0, now} end
redis.call('SET', KEYS[1], cmsgpack.pack(uses + 1, ends), 'PX', string.format('%.0f', ends - ms))
return {1, now}
