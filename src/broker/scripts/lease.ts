import type { Script } from '../../redis/port.ts';
import { NOW } from './hold.ts';

/** The end of a lease, never shorter than promised: who looks for dead members compares with whole seconds gone by. */
const LEASE = `${NOW}
local lease = string.format('%d.%06d', tonumber(t[1]) + tonumber(ARGV[2]), tonumber(t[2]))
`;

/**
 * Makes an instance a member. Here and below PERSIST is a write that is always allowed, and a script that has written may
 * go on where Redis is out of memory: a worker must be able to come and to stay then, since it is what empties the queues.
 *
 * KEYS  1 members, 2 member:<instance>, 3... consumers:<queue>
 * ARGV  1 instance, 2 lease in seconds, 3 time to live of a dead member's traces, 4... fields and values of its record
 */
export const JOIN: Script = {
  name: 'join',
  lua: `
${LEASE}
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', KEYS[1], lease, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], unpack(ARGV, 4))
redis.call('EXPIRE', KEYS[2], ARGV[3])
for i = 3, #KEYS do
  redis.call('ZADD', KEYS[i], lease, ARGV[1])
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
return 1
`,
};

/**
 * Renews the lease and re-scores what the instance holds, so that no sweeper ever lists it (an entry that was listed is
 * restored even when it is re-scored meanwhile). Order is kept by microsecond steps.
 *
 * KEYS  1 unacked_index, 2 held, 3 members, 4 member:<instance>, 5... consumers:<queue>
 * ARGV  1 instance, 2 lease in seconds, 3 time to live of a dead member's traces
 * Returns { -1 when the membership is gone, else how many are held; fields whose lease was lost, ... }.
 */
export const RENEW: Script = {
  name: 'renew',
  lua: `
local index_key, held_key = KEYS[1], KEYS[2]
if not redis.call('ZSCORE', KEYS[3], ARGV[1]) then return { -1 } end
${LEASE}
redis.call('PERSIST', KEYS[3])
redis.call('ZADD', KEYS[3], lease, ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('EXPIRE', KEYS[4], ARGV[3])
for i = 5, #KEYS do
  redis.call('ZADD', KEYS[i], lease, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. t[1])
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
local result = { 0 }
local seconds, micros = tonumber(t[1]), tonumber(t[2])
local held = redis.call('ZRANGE', held_key, 0, -1, 'WITHSCORES')
for i = 1, #held, 2 do
  local field = held[i]
  if redis.call('ZSCORE', index_key, field) == held[i + 1] then
    local score = string.format('%d.%06d', seconds, micros)
    redis.call('ZADD', index_key, score, field)
    redis.call('ZADD', held_key, score, field)
    result[1] = result[1] + 1
    micros = micros + 1
    if micros == 1000000 then seconds, micros = seconds + 1, 0 end
  else
    redis.call('ZREM', held_key, field)
    result[#result + 1] = field
  end
end
redis.call('EXPIRE', held_key, ARGV[3])
return result
`,
};

/**
 * Ends a membership: one's own after everything was put back, or a dead one's once it holds nothing any more.
 *
 * KEYS  1 members, 2 member:<instance>, 3 held, 4 aside, 5... inboxes, then `ARGV[3]` consumers sets
 * ARGV  1 instance, 2 '1' when it must be dead, 3 how many of the keys are consumers sets
 * Returns 1 when it is gone, 0 when it lives or still holds something.
 */
export const LEAVE: Script = {
  name: 'leave',
  lua: `
local t = redis.call('TIME')
if ARGV[2] == '1' then
  local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if lease and tonumber(lease) > tonumber(t[1]) then return 0 end
end
local consumers = #KEYS - tonumber(ARGV[3])
if redis.call('ZCARD', KEYS[3]) > 0 then return 0 end
for i = 4, consumers do
  if redis.call('LLEN', KEYS[i]) > 0 then return 0 end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
for i = consumers + 1, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 1
`,
};

/**
 * The instances whose lease has run out, by Redis' clock.
 *
 * KEYS  1 members    Returns their ids.
 */
export const DEAD_MEMBERS: Script = {
  name: 'dead-members',
  lua: `
local t = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', t[1])
`,
};

/**
 * How many other living celeriac instances consume a queue.
 *
 * KEYS  1 consumers:<queue>    ARGV  1 own instance
 */
export const OTHER_CONSUMERS: Script = {
  name: 'other-consumers',
  lua: `
local t = redis.call('TIME')
local n = redis.call('ZCOUNT', KEYS[1], '(' .. t[1], '+inf')
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local own = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
  if own > tonumber(t[1]) then n = n - 1 end
end
return n
`,
};
