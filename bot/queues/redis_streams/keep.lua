-- key, token, key, token, …: what this process held when Redis lost its memory is its own again.
-- Nothing but this is handed out while we settle, so the entry just added is the one that is read.
for index = 3, #ARGV, 2 do
  local key, token = ARGV[index], ARGV[index + 1]
  if settling() and not place_of(key) then
    local number = fresh()
    redis.call('XADD', NORMAL, number .. '-0', 'key', key)
    redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', 1, 'STREAMS', NORMAL, '>')
    redis.call('HSET', PLACES, key, 'n' .. number .. ':' .. token)
  end
end
