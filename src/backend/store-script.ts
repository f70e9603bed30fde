import type { Script } from '../redis/port.ts';

/** What the script says of one record, beside the plain numbers STORED and KEPT. */
export const STORED = 1;
export const KEPT = 0;

/**
 * Writes a batch of metas: each is stored with its time to live and published, unless a SUCCESS is stored under its key.
 * Celery does the same per record in two round trips (backends/base.py `_store_result`, redis.py `_set`, 5.6.3) and
 * accepts the race between them; here looking and writing are one step.
 *
 * KEYS  the meta key of each record; the same key may come again, records are taken in order
 * ARGV  per record its seconds to live (0: for ever) and its bytes; behind them all, per record, '' or the SHA1 of a
 *       stored value that the caller has read and found to be no SUCCESS (absent when no record has one)
 * Returns per record: 1 stored and published; 0 left alone, a SUCCESS is stored; { 'unsure', bytes } nothing done, the
 *       caller must read what is stored; { 'refused', error } nothing done; { 'unpublished', error } stored only.
 *       On a read-only replica the whole call is answered with its error.
 *
 * The judgement looks at the first bytes alone, since a stored value may be megabytes: JSON and msgpack metas begin with
 * their status, whoever wrote them. Anything else (YAML sorts its keys) goes back to the caller, who has a real decoder;
 * cjson is not one (it takes what is no JSON, and refuses deep nesting).
 */
export const STORE: Script = {
  name: 'store-results',
  lua: String.raw`
local count = #KEYS
local answers = {}

-- true, false or nil: can't tell from the head alone
local function is_success(head)
  local status = string.match(head, '^%s*{%s*"status"%s*:%s*"([^"\\]*)"')
  if status then return status == 'SUCCESS' end
  -- msgpack: a map of up to 15 or up to 65535 members, then the string "status", then the string "SUCCESS"
  local rest = string.match(head, '^[\128-\143]\166status(.*)') or string.match(head, '^\222..\166status(.*)')
  if rest then return string.sub(rest, 1, 8) == '\167SUCCESS' end
  return nil
end

for i = 1, count do
  local key = KEYS[i]
  local head = redis.pcall('GETRANGE', key, 0, 95)
  local answer
  if type(head) == 'table' then
    answer = { 'refused', head.err }
  elseif head ~= '' then
    local success = is_success(head)
    if success then
      answer = 0
    elseif success == nil then
      local stored = redis.call('GET', key)
      local judged = ARGV[2 * count + i]
      if not judged or judged == '' or redis.sha1hex(stored) ~= judged then answer = { 'unsure', stored } end
    end
  end
  if not answer then
    local ttl, value = ARGV[2 * i - 1], ARGV[2 * i]
    local set
    if ttl == '0' then set = redis.pcall('SET', key, value) else set = redis.pcall('SETEX', key, ttl, value) end
    if set.err then
      -- A replica refuses all of them: said as the call's own answer, the connection looks for the new master.
      if string.find(set.err, 'READONLY', 1, true) then return redis.error_reply(set.err) end
      answer = { 'refused', set.err }
    else
      local heard = redis.pcall('PUBLISH', key, value)
      if type(heard) == 'table' then answer = { 'unpublished', heard.err } else answer = 1 end
    end
  end
  answers[i] = answer
end
return answers
`,
};
