/** Backends on a real Redis, each with its log; `closeAll` leaves no connection open. */
import { ResultKeys } from '../../../src/backend/keys.ts';
import { MetaCodec, type MetaCodecOptions } from '../../../src/backend/meta-codec.ts';
import { RedisBackend, type RedisBackendOptions } from '../../../src/backend/redis-backend.ts';
import { openRedis } from '../../../src/redis/connection.ts';
import type { RedisPort, SubscriberPort } from '../../../src/redis/port.ts';
import { openSubscriber } from '../../../src/redis/subscriber.ts';
import { parseRedisTarget } from '../../../src/redis/url.ts';
import { recordingLogger, type LogLine } from '../../unit/backend/recording-logger.ts';

export interface TestBackend {
  readonly backend: RedisBackend;
  readonly redis: RedisPort;
  readonly log: LogLine[];
}

export class Harness {
  readonly #opened: (() => Promise<void>)[] = [];

  /** A connection of the test's own, to look and to meddle. */
  redis(url: string): RedisPort {
    const redis = openRedis(parseRedisTarget(url), { backoff: QUICK });
    this.#opened.push(() => redis.close());
    return redis;
  }

  subscriber(url: string): SubscriberPort {
    const subscriber = openSubscriber(parseRedisTarget(url), { backoff: QUICK });
    this.#opened.push(() => subscriber.close());
    return subscriber;
  }

  backend(url: string, options: Partial<RedisBackendOptions> & { readonly meta?: MetaCodecOptions } = {}): TestBackend {
    const log: LogLine[] = [];
    const redis = openRedis(parseRedisTarget(url), { backoff: QUICK, clientName: 'backend' });
    const backend = new RedisBackend({
      redis,
      openSubscriber: () => openSubscriber(parseRedisTarget(url), { backoff: QUICK, clientName: 'waiter' }),
      codec: new MetaCodec(options.meta),
      keys: new ResultKeys(),
      logger: recordingLogger(log),
      keepForEver: true,
      closeTimeoutMs: 500,
      ...options,
    });
    this.#opened.push(() => backend.close());
    return { backend, redis, log };
  }

  async closeAll(): Promise<void> {
    for (const close of this.#opened.splice(0)) await close();
  }
}

const QUICK = { startMs: 10, stepMs: 10, maxMs: 50, jitter: 0 };

/** Waits for a condition, not for a time. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
