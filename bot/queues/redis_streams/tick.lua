-- lease in milliseconds → {since when this Redis knows us, milliseconds until the next delayed wake (or -1)}
local ttl = ARGV[3]
local due, others = redis.call('ZRANGEBYSCORE', LATER, '-inf', now, 'LIMIT', 0, 1000), {}
for _, key in ipairs(due) do
  redis.call('ZREM', LATER, key)
  if redis.call('SREM', HURRY, key) == 1 then
    wake(key, true)
  else
    table.insert(others, key)
  end
end
for _, key in ipairs(others) do wake(key, false) end
for _, stream in ipairs({URGENT, NORMAL}) do
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
local upcoming = redis.call('ZRANGE', LATER, 0, 0, 'WITHSCORES')
return {tostring(since), upcoming[2] and math.ceil(math.max(tonumber(upcoming[2]) - now, 0)) or -1}
