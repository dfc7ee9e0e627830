"""Queue, broadcast and pace for any number of processes, in one Redis (6.2 or newer), Valkey or Redis Cluster.

Nothing here has to survive: the store is the truth. Every step is a Lua script, and all keys of one kind of work have
one hash tag, so that they live on one node of a cluster. `{switchboard:lane}:` (or send, fetch) stands before

- `urgent`, `normal`: streams with the consumer group `workers`. An entry is one key that has work. It waits until it
  is read, and is held from then on: the group's list of pending entries is the list of leases, claiming one's own
  entry extends it, `XAUTOCLAIM` finds what a dead worker held. Who is done deletes the entry, so a stream is never
  longer than there are keys with work.
- `places`: which entry stands for a key, so that a key waits once. `n17…` is the number of an entry of `normal`, and
  of its entry's token; a key that was kept over a loss of memory has its old token behind a colon.
- `again`: keys that were woken while held (1: urgently).
- `later`: keys with a delayed wake, by the millisecond they are due; `hurry`: those of them that are urgent.
- `clock`: `fence`, the last number that was given (they only grow, by Redis' clock even over a FLUSHALL); `since`,
  when this Redis first heard of us: soon after that it hands out nothing, so that whoever holds a key can say so;
  `looked`, when somebody last looked for leases that ran out, and `resumed`, when after a pause: soon after that none
  has, since whoever holds a key had no chance to extend it.

`{switchboard:pace}:KEY` is the time from which a rate is free again, and when that was said;
`switchboard:topic:TOPIC` is a pub/sub channel. `switchboard` is the link's `prefix`.
"""

from bot.queues.redis_streams.broadcast import RedisBroadcast
from bot.queues.redis_streams.link import Link
from bot.queues.redis_streams.pace import RedisPace
from bot.queues.redis_streams.queue import RedisQueue

__all__ = ["Link", "RedisBroadcast", "RedisPace", "RedisQueue"]
