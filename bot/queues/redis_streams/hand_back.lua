-- key, token: nobody worked on it
local place = mine(ARGV[3], ARGV[4])
if place then put_back(ARGV[3], place) end
