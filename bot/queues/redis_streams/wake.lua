-- key, urgent ('1' or '0'), delay in milliseconds
local key, urgent, delay = ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])
if delay > 0 then
  wake_at(key, urgent, now + delay)
else
  wake_due() -- they were first
  wake(key, urgent)
end
