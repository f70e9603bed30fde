/** Broadcasts on a real Redis: a copy for each worker, held nowhere, and what becomes of one that can't run at once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { FanoutChannels } from '../../../src/broker/fanout.ts';
import type { QueueDeclaration } from '../../../src/broker/queue.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { parseRedisTarget } from '../../../src/redis/url.ts';
import { envelope, testChannel, testPort, type TestChannel } from '../../support/channel.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

let server: TestRedis;
let url: string;
let redis: RedisPort;
let channels: FanoutChannels;
let opened: TestChannel[] = [];

const fanout = (name: string, more: Partial<QueueDeclaration> = {}): QueueDeclaration => ({
  name,
  exchange: 'news',
  exchangeType: 'fanout',
  routingKey: 'celery',
  ...more,
});
const CELERY: QueueDeclaration = { name: 'celery', exchange: 'celery', exchangeType: 'direct', routingKey: 'celery' };

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  channels = new FanoutChannels({ database: parseRedisTarget(url).db });
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
});
afterEach(async () => {
  for (const { channel } of opened) await stop(channel);
  opened = [];
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

async function start(
  queues: readonly QueueDeclaration[],
  overrides: Parameters<typeof testChannel>[1] = {},
): Promise<TestChannel> {
  const opening = testChannel(url, { queues, ...overrides });
  opened.push(opening);
  await opening.channel.start();
  return opening;
}

async function stop(channel: TestChannel['channel']): Promise<void> {
  await channel.stopTaking().catch(() => undefined);
  await channel.leave().catch(() => undefined);
}

function publish(text: string, key = 'celery', exchange = 'news'): Promise<unknown> {
  return redis.command('PUBLISH', channels.channel(exchange, key), text);
}

async function stored(): Promise<string[]> {
  const all = (await redis.command('KEYS', '*')) as string[];
  return all.filter((key) => !/^(celeriac:|_kombu\.|unacked_mutex$)/.test(key));
}

describe('a broadcast', () => {
  test('reaches every listener once, byte for byte, and is held nowhere', async () => {
    const first = await start([CELERY, fanout('one')]);
    const second = await start([fanout('two')]);
    const raw = envelope({}, { delivery_tag: 'same' });
    expect(await publish(raw)).toBe(2);
    await until('both', () => first.deliveries.length === 1 && second.deliveries.length === 1);
    expect([first.deliveries[0]?.raw, second.deliveries[0]?.raw]).toEqual([raw, raw]);
    expect([first.deliveries[0]?.queue, second.deliveries[0]?.queue]).toEqual(['one', 'two']);
    expect(await stored()).toEqual([]);
    expect(await first.deliveries[0]?.ack()).toBe(true);
    expect(() => first.deliveries[0]?.ack()).toThrow('already acknowledged');
  });

  test('does not hinder what is stored', async () => {
    const { deliveries } = await start([CELERY, fanout('one')]);
    await redis.command('LPUSH', 'celery', envelope());
    await publish(envelope());
    await until('both', () => deliveries.length === 2);
    expect(deliveries.map(({ queue }) => queue).sort()).toEqual(['celery', 'one']);
    expect(await redis.command('HLEN', 'unacked')).toBe(1);
  });

  test('is listened to by the binding key, its # as a star', async () => {
    const { deliveries } = await start([fanout('one', { routingKey: 'a.#' }), fanout('two', { routingKey: 'b' })]);
    for (const key of ['a.1', 'b', 'a', 'c']) await publish(envelope(), key);
    await until('two of four', () => deliveries.length >= 2);
    expect(deliveries.map(({ queue }) => queue)).toEqual(['one', 'two']);
  });

  test('through any of several bindings', async () => {
    const { deliveries } = await start([
      fanout('one', { bindings: [fanout('', { exchange: 'e1' }), fanout('', { exchange: 'e2' })] }),
    ]);
    for (const exchange of ['e1', 'news', 'e2']) await publish(envelope(), 'celery', exchange);
    await until('two', () => deliveries.length >= 2);
    expect(deliveries).toHaveLength(2);
    expect(await redis.command('SMEMBERS', '_kombu.binding.e2')).toEqual(['celery\x06\x16\x06\x16one']);
    expect(await redis.command('EXISTS', '_kombu.binding.news')).toBe(0);
  });

  test('is heard again after the connection was lost', async () => {
    const { deliveries } = await start([fanout('one')]);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('listening again', async () => (await publish(envelope())) === 1);
    await until('it came', () => deliveries.length === 1);
  });
});

describe('a copy that cannot run at once', () => {
  test('waits in memory for its time, and is delivered then', async () => {
    const { deliveries } = await start([fanout('one')]);
    await publish(envelope());
    await until('it came', () => deliveries.length === 1);
    const eta = Date.now() / 1000 + 0.3;
    expect(await deliveries[0]?.park(eta)).toBe(true);
    await until('it came again', () => deliveries.length === 2);
    expect(Date.now() / 1000).toBeGreaterThan(eta - 0.02);
    expect(deliveries[1]?.raw).toBe(deliveries[0]?.raw);
    expect(await stored()).toEqual([]);
  });

  test('is delivered here once more when it is requeued, marked', async () => {
    const { deliveries } = await start([fanout('one')]);
    await publish(envelope());
    await until('it came', () => deliveries.length === 1);
    expect(await deliveries[0]?.requeue()).toBe(true);
    await until('it came again', () => deliveries.length === 2);
    expect(deliveries[1]?.raw).toContain('"redelivered": true');
    expect(await stored()).toEqual([]);
  });

  test('is dropped when the worker stops, which is said', async () => {
    const { channel, deliveries, log } = await start([fanout('one')]);
    await publish(envelope());
    await publish(envelope());
    await until('they came', () => deliveries.length === 2);
    await deliveries[0]?.park(Date.now() / 1000 + 3600);
    await channel.stopTaking();
    expect(await channel.putBack(deliveries.slice(1))).toBe(0);
    expect(log.filter((line) => line.includes('were not done'))).toEqual([
      'WARNING Dropped 1 broadcast(s) that were not done: nobody keeps them for later',
      'WARNING Dropped 1 broadcast(s) that were not done: nobody keeps them for later',
    ]);
    expect(deliveries[1]?.isSettled).toBe(true);
  });

  test('keeps its bytes in the quarantine when it is bad, or too large to be read', async () => {
    const { deliveries } = await start([fanout('one')], { maxMessageBytes: 2000 });
    await publish('no json');
    await until('it came', () => deliveries.length === 1);
    expect(await deliveries[0]?.quarantine('rubbish')).toBe(true);
    await publish('x'.repeat(2001));
    await until('both', async () => (await redis.command('XLEN', 'celeriac:quarantine')) === 2);
    const entries = (await redis.command('XRANGE', 'celeriac:quarantine', '-', '+')) as [string, string[]][];
    expect(entries[0]?.[1]).toEqual(['queue', 'one', 'reason', 'rubbish', 'message', 'no json', 'instance', 'fanout']);
    expect(entries[1]?.[1]).toContain('x'.repeat(2001));
    expect(deliveries).toHaveLength(1);
  });
});

describe("a copy in the list of its queue, where Celery's own clients put it", () => {
  test('is run like one that was heard, and held no longer', async () => {
    const { deliveries } = await start([CELERY, fanout('one')]);
    await redis.command('LPUSH', 'one', envelope({}, { delivery_tag: 'listed' }));
    await until('it came', () => deliveries.length === 1);
    expect(deliveries[0]?.queue).toBe('one');
    expect(await redis.command('HLEN', 'unacked')).toBe(0);
    expect(await redis.command('ZCARD', 'unacked_index')).toBe(0);
    expect(await deliveries[0]?.ack()).toBe(true);
  });

  test('is dropped when another worker had it and put it back for everybody', async () => {
    const { deliveries } = await start([CELERY, fanout('one')]);
    const info = { exchange: 'news', routing_key: 'celery', redelivered: true };
    await redis.command('LPUSH', 'one', envelope({}, { delivery_info: info }));
    await redis.command('LPUSH', 'one', envelope({}, { delivery_tag: 'second' }));
    await until('the other one', () => deliveries.length === 1);
    expect(deliveries[0]?.raw).toContain('"second"');
    await until('nothing is held', async () => (await redis.command('HLEN', 'unacked')) === 0);
    expect(deliveries).toHaveLength(1);
  });
});

describe('its binding', () => {
  const bound = (): Promise<unknown> => redis.command('SMEMBERS', '_kombu.binding.news');

  test('is written as kombu writes it, and goes with a queue that is deleted with its worker', async () => {
    const { channel } = await start([fanout('one', { isAutoDelete: true }), fanout('two')]);
    expect(((await bound()) as string[]).sort()).toEqual(['celery\x06\x16\x06\x16one', 'celery\x06\x16\x06\x16two']);
    await channel.stopTaking();
    await redis.command('LPUSH', 'one', envelope());
    await channel.leave();
    expect(await bound()).toEqual(['celery\x06\x16\x06\x16two']);
    expect(await stored()).toEqual([]);
  });
});
