-- KEYS: open holds, their records, the windows. ARGV: the hold's name, empty
-- when nothing is to be given back; numbers: time, life of a hold, and nine for
-- each charge. Answers 1 granted, 0 refused, 2 not in the calendar windows that
-- were named, 3 already given up, 4 more has to expire first; then the time; then wait, remaining and reset
-- of each charge.
local function roll(w, c, now)
  if now < w.to then return end
  w.from, w.to, w.used, w.held = c.from, c.to, 0, 0
  if now >= c.to then w.from, w.to = c.to, c.next end
end

local function wait(w, c, now)
  if c.need == 0 then return 0 end
  if c.need > c.limit then return NEVER end
  if c.shape == RATE then
    local tat, num = add(w, now, c.need, c.limit, c.period)
    return ahead(tat, num, now + c.period)
  end
  if c.shape == CALENDAR then
    if w.used > c.limit - c.need then return math.max(w.to - now, 1) end
    if w.held > c.limit - c.need - w.used then return SOON end
    return 0
  end
  if w.held > c.limit - c.need then return SOON end
  if c.shape == LEASE then return 0 end
  local tat, num = add(w, now, w.held + c.need, c.limit, c.period)
  return ahead(tat, num, now + c.period)
end

local function left(w, c, now)
  if c.limit == 0 then return 0, 0 end
  if c.shape == RATE then return room(w, now, c.limit, c.period), ahead(w.tat, w.num, now) end
  if c.shape == LEASE then return math.max(c.limit - w.held, 0), 0 end
  if c.shape == CALENDAR then return math.max(c.limit - w.used - w.held, 0), math.max(w.to - now, 0) end
  local tat, num = add(w, now, w.held, c.limit, c.period)
  return math.max(room(w, now, c.limit, c.period) - w.held, 0), ahead(tat, num, now)
end

local function take(charges, now)
  for _, c in ipairs(charges) do
    local w = c.window
    if c.first and c.need > 0 then
      w.changed = true
      if c.shape == RATE then
        w.tat, w.num = add(w, now, c.need, c.tight, c.period)
        w.den = c.tight
      else
        w.held = w.held + c.need
      end
    end
  end
end

local function record(charges)
  local out = {}
  for _, c in ipairs(charges) do
    if c.first and c.shape ~= RATE then
      local w, n = c.window, #out
      out[n + 1], out[n + 2], out[n + 3], out[n + 4] = c.key, c.shape, c.need, w.from
      out[n + 5], out[n + 6], out[n + 7] = w.to, c.tight, c.period
    end
  end
  return cmsgpack.pack(out)
end

local n = cmsgpack.unpack(ARGV[2])
local now, charges, granted = clock(n[1]), {}, true
ttl = n[2]
for i = 3, #n, 9 do
  local c = {
    key = KEYS[2 + n[i]], shape = n[i + 1], limit = n[i + 2], period = n[i + 3], need = n[i + 4],
    tight = n[i + 5], first = n[i + 5] >= 0, from = n[i + 6], to = n[i + 7], next = n[i + 8],
  }
  if c.shape == CALENDAR and (now < c.from or now >= c.next) then return {2, now} end
  charges[#charges + 1] = c
end
if expire(now) then
  flush(now)
  return {4, now}
end
for _, c in ipairs(charges) do
  c.window = load(c.key)
  if c.shape == CALENDAR then roll(c.window, c, now) end
  c.wait = wait(c.window, c, now)
  if c.wait ~= 0 then granted = false end
end
if granted and ARGV[1] ~= '' and not remember(ARGV[1], record(charges), now + ttl) then
  flush(now)
  return {3, now}
end
if granted then take(charges, now) end
flush(now)
local answer = {granted and 1 or 0, now}
for _, c in ipairs(charges) do
  local remaining, reset = left(c.window, c, now)
  answer[#answer + 1] = c.wait
  answer[#answer + 1] = remaining
  answer[#answer + 1] = reset
end
return answer
