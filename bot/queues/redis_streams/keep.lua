-- key, token, key, token, …: what this process holds it goes on holding, also when Redis has lost its memory.
-- Nothing else is handed out while we settle, so the entry just added is the one that is read.
for index = 3, #ARGV, 2 do
  local key, token = ARGV[index], ARGV[index + 1]
  local place = place_of(key)
  if place and place.token == token then
    redis.call('XCLAIM', place.stream, GROUP, me, 0, place.id, 'JUSTID')
  elseif settling() and not place then
    local number = fresh()
    redis.call('XADD', NORMAL, number .. '-0', 'key', key)
    redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', 1, 'STREAMS', NORMAL, '>')
    redis.call('HSET', PLACES, key, 'n' .. number .. ':' .. token)
  end
end
