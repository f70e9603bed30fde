/** Damage that the fuzz test found a way through: each message goes where it belongs, and is let go of again. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { envelope, testChannel, testPort, type TestChannel } from '../../support/channel.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const keys = new BrokerKeys();
let server: TestRedis;
let url: string;
let redis: RedisPort;
let opened: TestChannel;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
});

beforeEach(async () => {
  await redis.command('FLUSHDB');
  opened = testChannel(url);
});

afterEach(async () => {
  await opened.channel.stopTaking();
  await opened.channel.leave();
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

async function quarantined(): Promise<Buffer[]> {
  const stream = (await redis.commandBuffers('XRANGE', keys.quarantine, '-', '+')) as [Buffer, Buffer[]][];
  return stream.map(([, fields]) => fields[fields.findIndex((name) => name.toString() === 'message') + 1] as Buffer);
}

test('a delivery tag that is not UTF-8 is not held under a name that nobody could acknowledge', async () => {
  const text = envelope({}, { delivery_tag: 'tag-' });
  const raw = Buffer.concat([
    ...text.split(/(?<=tag-)/).flatMap((part) => [Buffer.from(part), Buffer.from([0xff])]),
  ]).subarray(0, -1);
  await redis.command('LPUSH', 'celery', raw);
  await opened.channel.start();
  await until('quarantined', async () => (await quarantined()).length === 1);
  expect((await quarantined())[0]).toEqual(raw);
  expect(await redis.command('EXISTS', keys.unacked, keys.unackedIndex)).toBe(0);
});

test('a delivery tag of letters beyond ASCII can be acknowledged', async () => {
  await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'märz' }));
  await opened.channel.start();
  await until('delivered', () => opened.deliveries.length === 1);
  expect(await opened.deliveries[0]?.ack()).toBe(true);
  expect(await redis.command('EXISTS', keys.unacked, keys.unackedIndex)).toBe(0);
});

test('two messages with an empty delivery tag are delivered, under names of their own', async () => {
  for (const id of ['a', 'b'])
    await redis.command('LPUSH', 'celery', envelope({ headers: { id } }, { delivery_tag: '' }));
  await opened.channel.start();
  await until('delivered', () => opened.deliveries.length === 2);
  const [first, second] = opened.deliveries;
  expect(first?.field).not.toBe('');
  expect(second?.field).not.toBe(first?.field);
  for (const delivery of opened.deliveries) expect(await delivery.ack()).toBe(true);
  expect(await redis.command('EXISTS', keys.unacked, keys.unackedIndex)).toBe(0);
});

test('an infinite priority, at which a Python restore fails, never enters unacked', async () => {
  const raw = envelope().replace('"priority":0', '"priority":1e999');
  await redis.command('LPUSH', 'celery', raw);
  await opened.channel.start();
  await until('quarantined', async () => (await quarantined()).length === 1);
  expect((await quarantined())[0]?.toString()).toBe(raw);
  expect(await redis.command('EXISTS', keys.unacked, keys.unackedIndex)).toBe(0);
});

test('a doubtful message that landed in an inbox is held as one of its queue, not of the inbox', async () => {
  await opened.channel.start();
  await until('it waits', async () => ((await redis.command('CLIENT', 'LIST')) as string).includes('cmd=blmove'));
  await redis.command(
    'LPUSH',
    'celery',
    envelope({ headers: { id: 'x', at: { __type__: 'date', __value__: '2026-01-02' } } }),
  );
  await until('delivered', () => opened.deliveries.length === 1);
  expect(opened.deliveries[0]?.queue).toBe('celery');
  const [entry] = (await redis.command('HVALS', keys.unacked)) as string[];
  expect(entry).toMatch(/, "", "celery"\]$/);
});
