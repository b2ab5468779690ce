-- Windows and holds, as admit.Memory counts them. All amounts and times are
-- whole numbers that a double holds exactly: times in microseconds, amounts up
-- to 2^53 - 1, limits up to 2^52.
local RATE, LEASE, FLOW, CALENDAR = 1, 2, 3, 4
local MOST = 9007199254740991
local FAR = 2305843009213693
local SOON = 1000000
local NEVER = -1
local KEEP = 3456000000 -- 40 days in ms, longer than any window
local BATCH = 100

local open, holds = KEYS[1], KEYS[2]
local cache = {}
local ttl = 0

-- The time that was passed, or else that of the server.
local function clock(passed)
  if passed > 0 then return passed end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- a * b / d as a whole number and a rest, without a product beyond 2^53. It
-- stays at MOST.
local function muldiv(a, b, d)
  local p = a * b
  if p <= MOST then
    local r = math.fmod(p, d)
    return (p - r) / d, r
  end
  local r = math.fmod(a, d)
  local q, rest = (a - r) / d * b, 0
  if q > MOST then return MOST, 0 end
  local whole = 0
  local _, exponent = math.frexp(b)
  local bit = math.ldexp(1, exponent - 1)
  while bit >= 1 do
    whole = whole * 2
    rest = rest * 2
    if rest >= d then rest, whole = rest - d, whole + 1 end
    if b >= bit then
      b = b - bit
      rest = rest + r
      if rest >= d then rest, whole = rest - d, whole + 1 end
    end
    bit = bit / 2
  end
  q = q + whole
  if q > MOST then return MOST, 0 end
  return q, rest
end

local function drain(amount, limit, period)
  local q, r = muldiv(amount, period, limit)
  if q > FAR then return FAR, 0 end
  return q, r
end

-- The meter's fraction in parts of 1/limit.
local function parts(w, limit)
  if w.den == limit or w.num == 0 then return w.tat, w.num end
  return w.tat + 1, 0
end

local function add(w, now, amount, limit, period)
  local tat, num = now, 0
  if w.tat >= now then tat, num = parts(w, limit) end
  local q, r = drain(amount, limit, period)
  tat, num = tat + q, num + r
  if num >= limit then tat, num = tat + 1, num - limit end
  if tat - now > FAR then return now + FAR, 0 end
  return tat, num
end

local function ahead(tat, num, t)
  local d = tat - t
  if num > 0 then d = d + 1 end
  return math.max(d, 0)
end

local function room(w, now, limit, period)
  if w.tat < now then return limit end
  local tat, num = parts(w, limit)
  local free = period - (tat - now)
  if free <= 0 then return 0 end
  local q, r = muldiv(limit, free, period)
  if num > r then
    local short = num - r
    q = q - math.ceil(short / period)
  end
  return q
end

local function load(key)
  local w = cache[key]
  if w then return w end
  w = {tat = 0, num = 0, den = 0, from = 0, to = 0, used = 0, held = 0}
  local s = redis.call('GET', key)
  if s then
    w.tat, w.num, w.den, w.from, w.to, w.used, w.held = cmsgpack.unpack(s)
    w.stored = true
  end
  cache[key] = w
  return w
end

local function idle(w, now)
  return w.held == 0 and (w.used == 0 or now >= w.to) and (w.tat < now or w.tat == now and w.num == 0)
end

-- Writes what was changed. Each key lives as long as it can matter, and a while
-- longer in case the clock goes back.
local function flush(now)
  for key, w in pairs(cache) do
    if w.changed and not idle(w, now) then
      local ms = math.ceil(math.max(w.tat - now, w.to - now, 0) / 1000)
      if w.held > 0 then ms = ms + math.ceil(ttl / 1000) end
      if w.to > 0 then ms = ms + 3600000 else ms = ms + 120000 end
      redis.call('SET', key, cmsgpack.pack(w.tat, w.num, w.den, w.from, w.to, w.used, w.held), 'PX', string.format('%.0f', ms))
    elseif w.changed and w.stored then
      redis.call('DEL', key)
    end
  end
end

local function settle(w, it, at, used)
  if it.shape == FLOW then
    local limit = math.max(it.limit, 1)
    w.tat, w.num = add(w, at, used, limit, it.period)
    w.den = limit
  elseif it.shape == CALENDAR then
    w.used = math.min(w.used + used, MOST)
  end
end

-- Closes a hold at a time, with what was used of each window; nil is as held,
-- false gives everything back. A calendar window that is over is left alone, and
-- one that was not written down, since nothing was taken from it, begins here.
local function shut(id, at, now, used)
  local record = redis.call('HGET', holds, id)
  redis.call('ZREM', open, id)
  redis.call('HDEL', holds, id)
  local items = record and record ~= '' and cmsgpack.unpack(record) or {}
  for i = 1, #items, 7 do
    local key = items[i]
    local it = {
      shape = items[i + 1], held = items[i + 2], from = items[i + 3], to = items[i + 4], limit = items[i + 5], period = items[i + 6],
    }
    local w = load(key)
    if it.shape == CALENDAR and w.from < it.from and now < it.to then
      w.from, w.to, w.used, w.held = it.from, it.to, 0, 0
    end
    if it.shape ~= CALENDAR or it.from == w.from then
      w.held = math.max(w.held - it.held, 0)
      w.changed = true
      if used ~= false then
        local amount = used and used[(i + 6) / 7] or -1
        if amount < 0 then amount = it.held end
        settle(w, it, at, amount)
      end
    end
  end
end

-- Closes the holds whose time is up, and says whether there may be more.
local function expire(now)
  local due = redis.call('ZRANGEBYSCORE', open, '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, BATCH)
  for i = 1, #due, 2 do shut(due[i], tonumber(due[i + 1]), now, nil) end
  return #due == 2 * BATCH
end

-- Remembers a hold, unless its name is known already.
local function remember(id, record, expires)
  if redis.call('HSETNX', holds, id, record) == 0 then return false end
  redis.call('ZADD', open, string.format('%.0f', expires), id)
  redis.call('PEXPIRE', open, KEEP)
  redis.call('PEXPIRE', holds, KEEP)
  return true
end
