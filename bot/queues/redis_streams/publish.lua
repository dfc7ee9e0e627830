-- A script, so that it travels with the others; on a cluster Redis itself tells the other nodes.
return redis.call('PUBLISH', KEYS[1], ARGV[1])
