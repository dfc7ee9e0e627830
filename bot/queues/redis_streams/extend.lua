-- key, token → 1 while the lease is this holder's; claiming one's own entry makes it young again
local place = mine(ARGV[3], ARGV[4])
return place and #redis.call('XCLAIM', place.stream, GROUP, me, 0, place.id, 'JUSTID') or 0
