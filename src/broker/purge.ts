/**
 * Empties queues. Counterpart: kombu/transport/redis.py _purge, 5.6: what waits in the lists of all priority steps goes;
 * what a worker holds, or has put off for later, stays.
 */
import type { RedisPort } from '../redis/port.ts';
import type { BrokerKeys } from './keys.ts';

/** @returns how many messages were there. */
export async function purgeQueues(
  redis: RedisPort,
  { keys, prioritySteps }: { readonly keys: BrokerKeys; readonly prioritySteps: readonly number[] },
  names: Iterable<string>,
): Promise<number> {
  let erased = 0;
  for (const name of names) {
    const lists = prioritySteps.map((step) => keys.list(name, step));
    // In one transaction, so that what is counted is what goes.
    const replies = await redis.transaction([...lists.map((list) => ['LLEN', list] as const), ['DEL', ...lists]]);
    for (const length of replies.slice(0, lists.length)) erased += Number(length);
  }
  return erased;
}
