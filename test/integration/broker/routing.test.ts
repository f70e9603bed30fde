/** Where messages of named exchanges go back to, when somebody who held them is gone. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { bindingsOf } from '../../../src/broker/bindings.ts';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import type { QueueDeclaration } from '../../../src/broker/queue.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { envelope, testChannel, testPort, type TestChannel } from '../../support/channel.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const keys = new BrokerKeys();
const MEDIA: QueueDeclaration = { name: 'm', exchange: 'media', exchangeType: 'topic', routingKey: 'video.#' };
let server: TestRedis;
let url: string;
let redis: RedisPort;
let opened: TestChannel[] = [];

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
});
afterEach(async () => {
  for (const { channel } of opened) {
    await channel.stopTaking();
    await channel.leave();
  }
  opened = [];
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** An entry as a Python worker that died long ago left it. */
async function leave(exchange: string, routingKey: string): Promise<void> {
  const entry = `[${envelope({}, { delivery_tag: 'old' })}, ${JSON.stringify(exchange)}, ${JSON.stringify(routingKey)}]`;
  await redis.command('HSET', 'unacked', 'old', entry);
  await redis.command('ZADD', 'unacked_index', Date.now() / 1000 - 100, 'old');
}

async function bind(queue: QueueDeclaration): Promise<void> {
  for (const { key, member } of bindingsOf(keys, queue)) await redis.command('SADD', key, member);
}

async function start(overrides: Parameters<typeof testChannel>[1] = {}): Promise<TestChannel> {
  const opening = testChannel(url, { visibilityTimeoutSeconds: 60, ...overrides });
  opened.push(opening);
  await opening.channel.start();
  return opening;
}

const gone = (): Promise<void> => until('swept', async () => (await redis.command('HEXISTS', 'unacked', 'old')) === 0);

test('through a topic exchange they go to the queues whose patterns match', async () => {
  await leave('media', 'video.mp4');
  const { deliveries } = await start({ queues: [MEDIA] });
  await until('restored and delivered', () => deliveries.length === 1);
  expect(deliveries[0]).toMatchObject({ queue: 'm' });
});

test('also where this worker has never heard of the exchange', async () => {
  await bind(MEDIA);
  await leave('media', 'video.mp4');
  await start();
  await gone();
  expect(await redis.command('LLEN', 'm')).toBe(1);
});

test('one no queue is bound for any more is kept in the quarantine, not dropped', async () => {
  await bind(MEDIA);
  await leave('media', 'audio');
  await start();
  await until('quarantined', async () => (await redis.command('XLEN', keys.quarantine)) === 1);
  const [[, fields]] = (await redis.command('XRANGE', keys.quarantine, '-', '+')) as [[string, string[]]];
  expect(fields.join()).toContain('no queue is bound to exchange "media" for the routing key "audio" any more');
  await gone();
});

test('or goes to the dead letters where there is a queue for them', async () => {
  await leave('media', 'audio');
  await start({ deadletterQueue: 'dead' });
  await gone();
  expect(await redis.command('LLEN', 'dead')).toBe(1);
  expect(await redis.command('EXISTS', keys.quarantine)).toBe(0);
});

test('a broadcast that somebody held is not delivered to anybody again', async () => {
  const news: QueueDeclaration = { name: 'one', exchange: 'news', exchangeType: 'fanout', routingKey: 'celery' };
  await bind({ ...news, name: 'bcast.of-somebody' });
  await leave('news', 'celery');
  const { deliveries } = await start({ queues: [news] });
  await gone();
  expect(deliveries).toEqual([]);
  expect(await redis.command('EXISTS', 'one', 'bcast.of-somebody', keys.quarantine)).toBe(0);
});

test('bindings are written when a worker starts, and again after the connection was lost', async () => {
  const bound = (): Promise<unknown> => redis.command('SMEMBERS', '_kombu.binding.media');
  await start({ queues: [MEDIA] });
  expect(await bound()).toEqual(['video.#\x06\x16^video\\..*?$\x06\x16m']);
  // As by a server that came back empty.
  await redis.command('DEL', '_kombu.binding.media');
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('bound again', async () => ((await bound()) as string[]).length === 1);
});
