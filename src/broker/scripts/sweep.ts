import type { Script } from '../../redis/port.ts';

/**
 * Restores entries that outlived the visibility timeout, whoever held them. Acts only where the score still is the one
 * listed. Kombu 5.6: transport/redis.py QoS.restore_visible, which re-encodes the message; here JavaScript hands in the
 * marked text.
 *
 * KEYS  1 unacked, 2 unacked_index
 * ARGV  per entry: field, listed score, message, number of lists, full key of each list (none: only the entry goes)
 * Returns how many entries were removed from `unacked`.
 */
export const RESTORE_LISTED: Script = {
  name: 'restore-listed',
  lua: `
local restored, i = 0, 1
-- always allowed, and changes nothing: a script that has written may go on where Redis is out of memory
redis.call('ZREM', KEYS[2], '')
while i <= #ARGV do
  local field, score, message, lists = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  if redis.call('ZSCORE', KEYS[2], field) == score then
    for l = 1, lists do redis.call('RPUSH', ARGV[i + 3 + l], message) end
    restored = restored + redis.call('HDEL', KEYS[1], field)
    redis.call('ZREM', KEYS[2], field)
  end
  i = i + 4 + lists
end
return restored
`,
};

/** Releases a lock that is still ours. KEYS 1 the lock  ARGV 1 its token */
export const RELEASE_LOCK: Script = {
  name: 'release-lock',
  lua: `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`,
};

/**
 * Moves an entry that nobody can restore out of `unacked`, bytes kept.
 *
 * KEYS  1 unacked, 2 unacked_index, 3 quarantine stream
 * ARGV  1 approximate cap, 2 field, 3 listed score, 4 reason, 5 entry
 * Returns 1 when it was moved, 0 when it changed hands.
 */
export const QUARANTINE_LISTED: Script = {
  name: 'quarantine-listed',
  lua: `
if redis.call('ZSCORE', KEYS[2], ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('ZREM', KEYS[2], '')
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[1], '*', 'queue', '', 'reason', ARGV[4], 'entry', ARGV[5])
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
`,
};
