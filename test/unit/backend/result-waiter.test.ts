import { beforeEach, describe, expect, test } from '@jest/globals';
import { ResultKeys } from '../../../src/backend/keys.ts';
import { ResultWaiter } from '../../../src/backend/result-waiter.ts';
import { BackendError, BrokerConnectionError, DecodeError, TimeoutError } from '../../../src/errors.ts';
import type { MessageListener, RedisEvents, SubscriberPort } from '../../../src/redis/port.ts';
import { recordingLogger, type LogLine } from './recording-logger.ts';

interface Meta {
  status: string;
  result?: unknown;
}

/** What happened on the two connections, in order: the waiter's correctness is an order. */
class FakeSubscriber implements SubscriberPort {
  isReady = true;
  refusal: Error | null = null;
  closed = 0;
  destroyed = 0;
  readonly channels = new Set<string>();
  readonly #steps: string[];
  #listener: MessageListener = () => {};
  #ready: () => void = () => {};

  constructor(steps: string[]) {
    this.#steps = steps;
  }
  async connect(): Promise<void> {
    if (this.refusal !== null) throw this.refusal;
  }
  async subscribe(...channels: string[]): Promise<void> {
    await Promise.resolve();
    for (const channel of channels) this.channels.add(channel);
    this.#steps.push(`subscribe ${channels.length}`);
  }
  async unsubscribe(...channels: string[]): Promise<void> {
    for (const channel of channels) this.channels.delete(channel);
    this.#steps.push(`unsubscribe ${channels.length}`);
  }
  async psubscribe(): Promise<void> {}
  async punsubscribe(): Promise<void> {}
  onMessage(listener: MessageListener): void {
    this.#listener = listener;
  }
  on<E extends keyof RedisEvents>(event: E, listener: RedisEvents[E]): void {
    if (event === 'ready') this.#ready = listener as () => void;
  }
  async close(): Promise<void> {
    this.closed += 1;
  }
  destroy(): void {
    this.destroyed += 1;
  }
  reconnect(): void {
    this.#ready();
  }
  publish(id: string, payload: string): void {
    const channel = `celery-task-meta-${id}`;
    if (this.channels.has(channel)) this.#listener(channel, Buffer.from(payload), null);
  }
}

let steps: string[];
let stored: Map<string, Meta | Error>;
let subscriber: FakeSubscriber;
let lines: LogLine[];
let opened: number;
let onFetch: () => void;
let waiter: ResultWaiter<Meta>;

beforeEach(() => {
  steps = [];
  stored = new Map();
  lines = [];
  opened = 0;
  onFetch = () => {};
  subscriber = new FakeSubscriber(steps);
  waiter = new ResultWaiter<Meta>({
    keys: new ResultKeys(),
    logger: recordingLogger(lines),
    openSubscriber: () => {
      opened += 1;
      return subscriber;
    },
    fetchMany: async (ids) => {
      steps.push(`fetch ${ids.length}`);
      const metas = ids.map((id) => stored.get(id) ?? { status: 'PENDING' });
      await Promise.resolve();
      onFetch();
      return metas;
    },
    decode: (payload) => {
      try {
        return JSON.parse(payload.toString()) as Meta;
      } catch (error) {
        throw new DecodeError('no JSON', { cause: error });
      }
    },
  });
});

const idle = async (): Promise<void> => {
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
};
const done = (result: unknown): string => JSON.stringify({ status: 'SUCCESS', result });

describe('one wait', () => {
  test('subscribes, reads once, and settles with what is stored already', async () => {
    stored.set('a', { status: 'SUCCESS', result: 1 });
    await expect(waiter.wait('a')).resolves.toEqual({ status: 'SUCCESS', result: 1 });
    await idle();
    expect(steps).toEqual(['subscribe 1', 'fetch 1', 'unsubscribe 1']);
    expect(waiter.size).toBe(0);
  });

  test('settles with what is published later, FAILURE and REVOKED too', async () => {
    for (const status of ['SUCCESS', 'FAILURE', 'REVOKED']) {
      const result = waiter.wait('a');
      await idle();
      subscriber.publish('a', JSON.stringify({ status }));
      await expect(result).resolves.toEqual({ status });
      await idle();
    }
    expect(opened).toBe(1);
    expect(subscriber.channels.size).toBe(0);
  });

  test('misses nothing that is published between the read and its answer', async () => {
    onFetch = () => subscriber.publish('a', done('in time'));
    await expect(waiter.wait('a')).resolves.toMatchObject({ result: 'in time' });
  });

  test('hears of the states before, and a listener that throws is told to the logger', async () => {
    stored.set('a', { status: 'STARTED' });
    const seen: string[] = [];
    const result = waiter.wait('a', {
      onUpdate: ({ status }) => {
        seen.push(status);
        if (status === 'PROGRESS') throw new Error('listener');
      },
    });
    await idle();
    subscriber.publish('a', '{"status": "PROGRESS"}');
    subscriber.publish('a', '{"status": "RETRY"}');
    subscriber.publish('a', done(1));
    await result;
    expect(seen).toEqual(['STARTED', 'PROGRESS', 'RETRY']);
    expect(lines).toMatchObject([{ level: 'error' }]);
  });

  test('ends with TimeoutError, and unsubscribes', async () => {
    const result = waiter.wait('a', { timeoutMs: 20 });
    await expect(result).rejects.toBeInstanceOf(TimeoutError);
    await expect(result).rejects.toThrow('task a was not ready after 0.02 s');
    await idle();
    expect(subscriber.channels.size).toBe(0);
    expect(waiter.size).toBe(0);
  });

  test('a time beyond what timers take is no time-out at once', async () => {
    const result = waiter.wait('a', { timeoutMs: 1e12 });
    await idle();
    subscriber.publish('a', done(1));
    await expect(result).resolves.toBeDefined();
  });

  test('ends with the reason of its signal, before or during the wait', async () => {
    const abort = new AbortController();
    const result = waiter.wait('a', { signal: abort.signal });
    await idle();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(result).rejects.toBe(reason);
    await expect(waiter.wait('b', { signal: abort.signal })).rejects.toBe(reason);
    await idle();
    expect(steps).toEqual(['subscribe 1', 'fetch 1', 'unsubscribe 1']);
  });

  test('rejects with what makes the stored value unreadable', async () => {
    stored.set('a', new DecodeError('stored rubbish'));
    await expect(waiter.wait('a')).rejects.toThrow('stored rubbish');
  });

  test('refuses an id that is none', async () => {
    await expect(waiter.wait('')).rejects.toBeInstanceOf(BackendError);
  });
});

describe('many waits', () => {
  test('of one turn share their commands, and one subscriber', async () => {
    const ids = Array.from({ length: 1200 }, (_, i) => `id${i}`);
    const all = Promise.all(ids.map((id) => waiter.wait(id)));
    await idle();
    await idle();
    expect(steps).toEqual(['subscribe 500', 'fetch 500', 'subscribe 500', 'fetch 500', 'subscribe 200', 'fetch 200']);
    for (const id of ids) subscriber.publish(id, done(id));
    expect(await all).toHaveLength(1200);
    await idle();
    expect(steps.slice(6)).toEqual(['unsubscribe 500', 'unsubscribe 500', 'unsubscribe 200']);
    expect(opened).toBe(1);
  });

  test('for one id share one subscription, which stays until the last has left', async () => {
    const first = waiter.wait('a', { timeoutMs: 5 });
    const second = waiter.wait('a');
    await expect(first).rejects.toBeInstanceOf(TimeoutError);
    await idle();
    expect(subscriber.channels.size).toBe(1);
    subscriber.publish('a', done(2));
    await expect(second).resolves.toMatchObject({ result: 2 });
    expect(steps.filter((step) => step.startsWith('fetch'))).toEqual(['fetch 1']);
  });

  test('an id awaited again in the turn it was dropped in is read again and stays subscribed', async () => {
    const abort = new AbortController();
    const first = waiter.wait('a', { signal: abort.signal });
    await idle();
    abort.abort();
    await expect(first).rejects.toThrow();
    const second = waiter.wait('a');
    await idle();
    subscriber.publish('a', done(2));
    await expect(second).resolves.toMatchObject({ result: 2 });
    expect(steps.slice(0, 4)).toEqual(['subscribe 1', 'fetch 1', 'subscribe 1', 'fetch 1']);
  });
});

describe('trouble', () => {
  test('messages that do not decode are told once and ignored', async () => {
    const result = waiter.wait('a');
    await idle();
    for (let i = 0; i < 5; i += 1) subscriber.publish('a', 'rubbish');
    subscriber.publish('a', done(1));
    await result;
    expect(lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('celery-task-meta-a') as unknown }]);
  });

  test('after a reconnect everything awaited is read again, since messages were missed', async () => {
    const all = [waiter.wait('a'), waiter.wait('b')];
    await idle();
    stored.set('a', { status: 'SUCCESS', result: 'while away' });
    subscriber.reconnect();
    await expect(all[0]).resolves.toMatchObject({ result: 'while away' });
    expect(steps).toEqual(['subscribe 2', 'fetch 2', 'fetch 2']);
    subscriber.publish('b', done('later'));
    await expect(all[1]).resolves.toMatchObject({ result: 'later' });
  });

  test('when the subscriber can not be opened the waits reject, and the next wait tries anew', async () => {
    subscriber.refusal = new BrokerConnectionError('no');
    await expect(waiter.wait('a')).rejects.toBeInstanceOf(BackendError);
    expect(subscriber.destroyed).toBe(1);
    subscriber.refusal = null;
    stored.set('a', { status: 'SUCCESS' });
    await expect(waiter.wait('a')).resolves.toBeDefined();
    expect(opened).toBe(2);
  });

  test('close rejects who waits, closes the subscriber, and leaves no timer', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const result = waiter.wait('a', { timeoutMs: 60_000 });
    const settled = expect(result).rejects.toThrow(/closed while/);
    await idle();
    await waiter.close();
    await settled;
    expect(timers()).toBe(before);
    expect(subscriber.closed).toBe(1);
    await expect(waiter.wait('b')).rejects.toThrow(/closed/);
    await waiter.close();
    expect(subscriber.closed).toBe(1);
  });
});
