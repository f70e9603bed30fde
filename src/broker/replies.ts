/**
 * Answers to somebody who waits on a queue of his own: dropped by the same script that would send them when he is gone,
 * so that no reply list stays behind. Kombu 5.6: pidbox.py Mailbox._publish_reply, which looks and pushes in two steps.
 */
import { encodeEnvelope, type Envelope } from '../protocol/envelope.ts';
import type { RedisPort, Script } from '../redis/port.ts';
import { bindingMember } from './bindings.ts';
import type { BrokerKeys } from './keys.ts';

/** KEYS 1 bindings of the exchange, 2 reply list  ARGV 1 binding, 2 envelope. Returns 1 when it was sent. */
const REPLY: Script = {
  name: 'reply',
  lua: `
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
`,
};

/** Sends `envelope` to the queue that the asker bound as `routingKey`. False: the asker is gone. */
export async function sendReply(
  redis: RedisPort,
  keys: BrokerKeys,
  exchange: string,
  routingKey: string,
  envelope: Envelope,
): Promise<boolean> {
  // Kombu names a mailbox' reply queue after its routing key and exchange.
  const queue = `${routingKey}.${exchange}`;
  const member = bindingMember(keys, { routingKey, pattern: '', queue });
  return (
    (await redis.run(REPLY, [keys.binding(exchange), keys.list(queue, 0)], [member, encodeEnvelope(envelope)])) === 1
  );
}
