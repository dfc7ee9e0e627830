-- milliseconds after which a silent consumer is forgotten, then the tokens this process holds:
-- what else is delivered to it got lost on the way, and waits again
local forgotten, known = tonumber(ARGV[3]), {}
for index = 4, #ARGV do known[ARGV[index]] = true end
for _, stream in ipairs({URGENT, NORMAL}) do
  for _, pending in ipairs(redis.call('XPENDING', stream, GROUP, '-', '+', 10000, me)) do
    local entry = redis.call('XRANGE', stream, pending[1], pending[1])[1]
    local key = entry and entry[2][2]
    local place = key and place_of(key)
    if not place or place.id ~= pending[1] or place.stream ~= stream then
      drop(stream, pending[1])
    elseif not known[place.token] then
      put_back(key, place)
    end
  end
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, GROUP)) do
    local facts = {}
    for index = 1, #consumer, 2 do facts[consumer[index]] = consumer[index + 1] end
    if facts.pending == 0 and facts.idle > forgotten then
      redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, facts.name)
    end
  end
end
