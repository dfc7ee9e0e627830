-- how many → {id, key, id, key, …}, urgent ones first; without waiting
local found, left = {}, tonumber(ARGV[3])
for _, stream in ipairs({URGENT, NORMAL}) do
  local read = left > 0
    and redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', left, 'STREAMS', stream, '>')
  for _, entry in ipairs(read and read[1][2] or {}) do
    table.insert(found, entry[1])
    table.insert(found, entry[2][2])
    left = left - 1
  end
end
return found
