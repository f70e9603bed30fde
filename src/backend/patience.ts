/** Reads and deletes that outlast an outage, up to what the retry policy allows. */
import { BackendError, BrokerConnectionError } from '../errors.ts';
import type { RedisPort } from '../redis/port.ts';
import { sleep } from '../util/sleep.ts';
import { mayHeal, textOf } from '../redis/trouble.ts';
import type { RetryPolicy } from './retry-policy.ts';

export interface Patience {
  readonly redis: RedisPort;
  readonly retry: RetryPolicy;
  /** Ends all trying: the backend closes. */
  readonly signal: AbortSignal;
}

/**
 * Carries out an operation that may be repeated, again while Redis is away or can't serve it now.
 * Rejects with BackendError, `what` in its message: refused, tries or time used up, or the signal fired.
 */
export async function patiently<T>(what: string, patience: Patience, operation: () => Promise<T>): Promise<T> {
  const { redis, retry, signal } = patience;
  for (let tries = 1; ; tries += 1) {
    try {
      return await unlessAway(redis, retry.patienceMs, operation());
    } catch (error) {
      const reason = textOf(error);
      if (signal.aborted) throw new BackendError(`${what}: the result backend is closed`, { cause: error });
      if (error instanceof AwayTooLong || !mayHeal(error))
        throw new BackendError(`${what}: ${reason}`, { cause: error });
      if (tries > retry.maxRetries) {
        throw new BackendError(`${what}: gave up after ${tries} tries: ${reason}`, { cause: error });
      }
      await sleep(retry.pauseMs(tries), signal);
    }
  }
}

class AwayTooLong extends BrokerConnectionError {}

/** The operation's outcome, unless the connection, which keeps it and reconnects, stays away for so long. */
function unlessAway<T>(redis: RedisPort, patienceMs: number, operation: Promise<T>): Promise<T> {
  if (patienceMs === Infinity) return operation;
  return new Promise<T>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onLost = (): void => {
      timer ??= setTimeout(() => {
        end();
        reject(new AwayTooLong(`no connection to ${redis.displayUrl} for ${patienceMs / 1000} s`));
      }, patienceMs);
    };
    const onReady = (): void => {
      clearTimeout(timer);
      timer = undefined;
    };
    const end = (): void => {
      onReady();
      redis.off('lost', onLost);
      redis.off('ready', onReady);
    };
    if (!redis.isReady) onLost();
    redis.on('lost', onLost);
    redis.on('ready', onReady);
    operation.finally(end).then(resolve, reject);
  });
}
