-- lease in milliseconds → {what changes when leases have to be confirmed, milliseconds until the next delayed wake or -1}
local ttl = ARGV[3]
wake_due()

-- When nobody has looked for a while, Redis hung or its clock was set: that leases look old says nothing then.
local looked = tonumber(redis.call('HGET', CLOCK, 'looked') or 0)
local resumed = tonumber(redis.call('HGET', CLOCK, 'resumed') or 0)
if math.abs(now - looked) > settle then
  resumed = now
  redis.call('HSET', CLOCK, 'resumed', string.format('%.3f', now))
end
redis.call('HSET', CLOCK, 'looked', string.format('%.3f', now))

for _, stream in ipairs(now < resumed + settle and {} or {URGENT, NORMAL}) do
  local cursor = '0-0'
  repeat
    local claimed = redis.call('XAUTOCLAIM', stream, GROUP, me, ttl, cursor, 'COUNT', 100)
    for _, entry in ipairs(claimed[2]) do
      local key = entry and entry[2][2] -- Redis 6.2 lists what somebody deleted as nothing
      local place = key and place_of(key)
      if place and place.id == entry[1] and place.stream == stream then
        put_back(key, place)
      elseif key then
        drop(stream, entry[1])
      end
    end
    cursor = claimed[1]
  until cursor == '0-0'
end
local upcoming = redis.call('ZRANGE', LATER, 0, 0, 'WITHSCORES')[2]
local due = upcoming and math.max(tonumber(upcoming), since + settle)
return {
  string.format('%.3f %.3f', since, resumed),
  due and math.ceil(math.max(due - now, 0)) or -1,
}
