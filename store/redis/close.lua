-- KEYS: open holds, their records. ARGV: the hold's name; settle, release, or
-- abandon, which releases and makes sure that an Admit on its way can no longer
-- take under that name; numbers: time, life of a hold, and for settle what was
-- used of each window, or -1.
local id, how = ARGV[1], ARGV[2]
local n = cmsgpack.unpack(ARGV[3])
local now = clock(n[1])
ttl = n[2]
expire(now)
local expires = tonumber(redis.call('ZSCORE', open, id) or nil)
if expires and expires <= now then
  shut(id, expires, now, nil)
elseif expires and how == 'settle' then
  local used = {}
  for i = 3, #n do used[#used + 1] = n[i] end
  shut(id, now, now, used)
elseif expires then
  shut(id, now, now, false)
elseif how == 'abandon' then
  remember(id, '', now + ttl)
end
flush(now)
return {now}
