-- key, token
local key = ARGV[3]
local place = mine(key, ARGV[4])
local again = place and lift(key, place)
if again then wake(key, again == '1') end
