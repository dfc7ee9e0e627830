-- '1' to count a message as sent or '0' to ask only, then per key: seconds between two, burst
-- → seconds to wait, as text. A key holds the time from which the next message of it would be free, and when that was
-- said: a clock that was set back since holds up nobody.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local wait = 0
for index, key in ipairs(KEYS) do
  local every, burst = tonumber(ARGV[2 * index]), tonumber(ARGV[2 * index + 1])
  local free, said = (redis.call('GET', key) or '0 0'):match('^(%S+) (%S+)$')
  free = tonumber(free) - math.max(tonumber(said) - now, 0)
  local due = math.max(free, now - (burst - 1) * every)
  if ARGV[1] == '1' then
    local over = math.ceil((due - now + burst * every) * 1000)
    redis.call('SET', key, string.format('%.6f %.6f', due + every, now), 'PX', math.max(over, 1))
  end
  wait = math.max(wait, due - now)
end
return string.format('%.6f', wait)
