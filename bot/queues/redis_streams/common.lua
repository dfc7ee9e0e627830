-- What every script of the queue begins with; the keys are explained in __init__.py.
local URGENT, NORMAL, PLACES, AGAIN, LATER, HURRY, CLOCK = unpack(KEYS)
local GROUP = 'workers'
local settle, me = tonumber(ARGV[1]), ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000 -- milliseconds

local since = tonumber(redis.call('HGET', CLOCK, 'since'))
if not since or since > now then -- or the clock was set back
  since = now
  redis.call('HSET', CLOCK, 'since', string.format('%.3f', now))
end
if redis.call('EXISTS', URGENT, NORMAL) < 2 then
  for _, stream in ipairs({URGENT, NORMAL}) do
    if redis.call('EXISTS', stream) == 0 then
      redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
    end
  end
end

local function settling()
  return now < since + settle
end

-- Microseconds, and always more than the last: it stays monotonic over FLUSHALL and over a clock set back.
local function fresh()
  local last = tonumber(redis.call('HGET', CLOCK, 'fence') or 0)
  local number = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
  redis.call('HSET', CLOCK, 'fence', number)
  return number
end

-- Where a key is: in which stream, as which entry, held (if it is) under which token.
local function place_of(key)
  local place = redis.call('HGET', PLACES, key)
  if not place then return nil end
  local letter, number, token = place:match('^(%a)(%d+):?(%d*)$')
  return {
    urgent = letter == 'u',
    stream = letter == 'u' and URGENT or NORMAL,
    id = number .. '-0',
    token = token ~= '' and token or number,
  }
end

local function held(place)
  return #redis.call('XPENDING', place.stream, GROUP, place.id, place.id, 1) == 1
end

local function wake_at(key, urgent, due)
  redis.call('ZADD', LATER, 'LT', due, key)
  if urgent then redis.call('SADD', HURRY, key) end
end

local function put(key, urgent)
  -- in the order of waking, and all of them due when the first is put directly
  if settling() then return wake_at(key, urgent, since + 0.99 * settle + (now - since) / 100) end
  local number = fresh()
  redis.call('XADD', urgent and URGENT or NORMAL, number .. '-0', 'key', key)
  redis.call('HSET', PLACES, key, (urgent and 'u' or 'n') .. number)
end

local function drop(stream, id)
  redis.call('XACK', stream, GROUP, id)
  redis.call('XDEL', stream, id)
end

-- Take a key out of its place; says whether it was woken meanwhile ('1': urgently, '0': not so, false: no).
local function lift(key, place)
  drop(place.stream, place.id)
  redis.call('HDEL', PLACES, key)
  local again = redis.call('HGET', AGAIN, key)
  if again then redis.call('HDEL', AGAIN, key) end
  return again
end

local function put_back(key, place)
  local again = lift(key, place)
  put(key, place.urgent or again == '1')
end

local function wake(key, urgent)
  local place = place_of(key)
  if not place then
    put(key, urgent)
  elseif held(place) then
    if urgent or not redis.call('HGET', AGAIN, key) then
      redis.call('HSET', AGAIN, key, urgent and '1' or '0')
    end
  elseif #redis.call('XRANGE', place.stream, place.id, place.id) == 0 then
    put(key, urgent or place.urgent)
  elseif urgent and not place.urgent then
    redis.call('XDEL', place.stream, place.id)
    put(key, true)
  end
end

-- The place of a key, if it is still held under this token.
local function mine(key, token)
  local place = place_of(key)
  return place and place.token == token and place or nil
end

-- Delayed wakes that are due, urgent ones first.
local function wake_due()
  if settling() then return end
  local others = {}
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', LATER, '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', LATER, key)
    if redis.call('SREM', HURRY, key) == 1 then
      wake(key, true)
    else
      table.insert(others, key)
    end
  end
  for _, key in ipairs(others) do wake(key, false) end
end
