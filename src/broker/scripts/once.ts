/**
 * A call that counts once. The client sends a call again when the connection went before its reply came, and by then the
 * first may have taken effect: an ack sent again would find nothing to acknowledge, take the lease for lost, and a task
 * acknowledged early would be dropped. Or it would find what was taken since, and end a hold that it does not mean. So a
 * call has a number, its answer is kept in the caller's member record, and a call that comes again gets the answer of
 * the first. Only as many answers are kept as calls were ever under way at once: a call takes the place of one that was
 * heard. Which answers are needed, and that they are heard in the end, is the business of answered-calls.ts.
 *
 * KEYS  1 member:<instance>    ARGV  1 place of the answer, '' to keep none, 2 number of the call
 *
 * Without the record there is no membership and nothing held, and nothing is kept: the record would come to life again.
 * `answer` comes after the script's other writes: a script that has written may go on where Redis is out of memory.
 */
export const ONCE = `
local record_key, place, number = KEYS[1], ARGV[1], ARGV[2]
local function answered()
  if place == '' then return nil end
  local kept = redis.call('HGET', record_key, place)
  if not kept then
    if redis.call('EXISTS', record_key) == 0 then place = '' end
    return nil
  end
  local colon = string.find(kept, ':', 1, true)
  if string.sub(kept, 1, colon - 1) ~= number then return nil end
  local reply = {}
  for value in string.gmatch(string.sub(kept, colon + 1), '%d+') do reply[#reply + 1] = tonumber(value) end
  return reply
end
local function answer(reply)
  if place ~= '' then redis.call('HSET', record_key, place, number .. ':' .. table.concat(reply, ',')) end
  return reply
end
`;

/** For a caller who needs no answer kept: what he does is repeatable. */
export const NOT_KEPT = ['', 0] as const;
