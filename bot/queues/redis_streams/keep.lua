-- key, token, key, token, … → how many of them this process goes on holding; claiming an entry makes it young again.
-- While we settle that includes what Redis has forgotten: nothing else is handed out then, so that the entry just
-- added is the one that is read.
local kept = 0
for index = 3, #ARGV, 2 do
  local key, token = ARGV[index], ARGV[index + 1]
  local place = place_of(key)
  if place and place.token == token then
    kept = kept + #redis.call('XCLAIM', place.stream, GROUP, me, 0, place.id, 'JUSTID')
  elseif settling() and not place then
    local number = fresh()
    redis.call('XADD', NORMAL, number .. '-0', 'key', key)
    redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', 1, 'STREAMS', NORMAL, '>')
    redis.call('HSET', PLACES, key, 'n' .. number .. ':' .. token)
    kept = kept + 1
  end
end
return kept
