import type { Script } from '../../redis/port.ts';
import { HOLD, NOW } from './hold.ts';

/**
 * What `take` set aside leaves the aside list after JavaScript's full check: into `unacked`, or into the quarantine.
 * An entry that is no longer there (another member recovered it) is skipped.
 *
 * ADMIT KEYS  1 unacked, 2 unacked_index, 3 held, 4 aside    ARGV  quadruples: aside entry, message, tag, queue as JSON
 * Returns per quadruple the field it is held under, or ''.
 */
export const ADMIT: Script = {
  name: 'admit',
  lua: `
local unacked_key, index_key, held_key, aside_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
redis.call('HLEN', unacked_key) redis.call('ZCARD', index_key) redis.call('ZCARD', held_key)
${NOW}${HOLD}
local fields = {}
for i = 1, #ARGV, 4 do
  local field = ''
  if redis.call('LREM', aside_key, -1, ARGV[i]) == 1 then field = hold(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]) end
  fields[#fields + 1] = field
end
write_index()
return fields
`,
};

/**
 * KEYS  1 aside, 2 quarantine stream
 * ARGV  1 approximate cap, 2 instance, 3... quadruples: aside entry, queue, reason, message
 * Returns how many were moved.
 */
export const CONDEMN: Script = {
  name: 'condemn',
  lua: `
local moved = 0
for i = 3, #ARGV, 4 do
  if redis.call('LREM', KEYS[1], -1, ARGV[i]) == 1 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'queue', ARGV[i + 1], 'reason', ARGV[i + 2],
      'message', ARGV[i + 3], 'instance', ARGV[2])
    moved = moved + 1
  end
end
return moved
`,
};

/**
 * Gives back what lies in an inbox: to the front of its list, in the order it came, unmarked, since nobody saw it.
 *
 * KEYS  pairs: inbox, list    Returns how many messages went back.
 */
export const GIVE_BACK: Script = {
  name: 'give-back',
  lua: `
local moved = 0
for i = 1, #KEYS, 2 do
  -- a write that is always allowed: what moves a message goes on where Redis is out of memory
  redis.call('PERSIST', KEYS[i])
  while redis.call('LMOVE', KEYS[i], KEYS[i + 1], 'LEFT', 'RIGHT') do moved = moved + 1 end
end
return moved
`,
};

/**
 * The same for an aside list, whose entries say themselves where they came from.
 *
 * KEYS  1 aside    Returns how many messages went back.
 */
export const GIVE_BACK_ASIDE: Script = {
  name: 'give-back-aside',
  lua: `
local moved = 0
redis.call('PERSIST', KEYS[1])
while true do
  local entry = redis.call('LINDEX', KEYS[1], 0)
  if not entry then return moved end
  local colon = string.find(entry, ':', 1, true)
  local size = tonumber(string.sub(entry, 1, colon - 1))
  redis.call('RPUSH', string.sub(entry, colon + 1, colon + size), string.sub(entry, colon + size + 1))
  redis.call('LPOP', KEYS[1])
  moved = moved + 1
end
`,
};
