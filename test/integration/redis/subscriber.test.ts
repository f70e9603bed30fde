import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { BrokerConnectionError } from '../../../src/errors.ts';
import { openRedis } from '../../../src/redis/connection.ts';
import { type RedisOptions } from '../../../src/redis/options.ts';
import { type RedisPort, type SubscriberPort } from '../../../src/redis/port.ts';
import { openSubscriber } from '../../../src/redis/subscriber.ts';
import { parseRedisTarget } from '../../../src/redis/url.ts';
import { freePort, testRedis, type TestRedis } from '../../support/redis.ts';

const QUICK: RedisOptions = { backoff: { startMs: 10, stepMs: 20, maxMs: 100, jitter: 0 } };

let redis: TestRedis;
let publisher: RedisPort;
const opened: SubscriberPort[] = [];

function open(url = redis.url, options: RedisOptions = {}): SubscriberPort {
  const subscriber = openSubscriber(parseRedisTarget(url), { ...QUICK, ...options });
  opened.push(subscriber);
  return subscriber;
}

/** Collects messages; `count(n)` settles when there are n. */
function inbox(subscriber: SubscriberPort): { all: unknown[][]; count(wanted: number): Promise<void> } {
  const all: unknown[][] = [];
  let check: () => void = () => undefined;
  subscriber.onMessage((channel, payload, pattern) => {
    all.push([channel, payload.toString(), pattern]);
    check();
  });
  return {
    all,
    count: (wanted) =>
      new Promise((resolve) => {
        check = () => {
          if (all.length >= wanted) resolve();
        };
        check();
      }),
  };
}

const ready = (subscriber: SubscriberPort): Promise<void> => new Promise((resolve) => subscriber.on('ready', resolve));

beforeAll(async () => {
  redis = await testRedis();
  publisher = openRedis(parseRedisTarget(redis.url), QUICK);
});
afterEach(() => {
  for (const subscriber of opened.splice(0)) subscriber.destroy();
});
afterAll(async () => {
  await publisher.close();
  await redis.stop();
});

test('channels and patterns bring what is published, as bytes', async () => {
  const subscriber = open();
  const messages = inbox(subscriber);
  await subscriber.subscribe('a', 'b');
  await subscriber.psubscribe('task-*');
  await publisher.command('PUBLISH', 'a', '1');
  await publisher.command('PUBLISH', 'task-x', '2');
  await publisher.command('PUBLISH', 'c', 'nobody');
  await publisher.command('PUBLISH', 'b', '3');
  await messages.count(3);
  expect(messages.all).toEqual([
    ['a', '1', null],
    ['task-x', '2', 'task-*'],
    ['b', '3', null],
  ]);
});

test('after unsubscribing nothing more comes', async () => {
  const subscriber = open();
  const messages = inbox(subscriber);
  await subscriber.subscribe('a', 'b');
  await subscriber.psubscribe('p*');
  await subscriber.unsubscribe('a');
  await subscriber.punsubscribe('p*');
  expect(await publisher.command('PUBLISH', 'a', '1')).toBe(0);
  expect(await publisher.command('PUBLISH', 'p1', '1')).toBe(0);
  await publisher.command('PUBLISH', 'b', '2');
  await messages.count(1);
  expect(messages.all).toEqual([['b', '2', null]]);
});

test('after a loss everything is subscribed again before ready is told', async () => {
  const subscriber = open();
  const messages = inbox(subscriber);
  await subscriber.subscribe('a', 'gone');
  await subscriber.psubscribe('p*');
  await subscriber.unsubscribe('gone');
  const again = ready(subscriber);
  await publisher.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await again;
  expect(await publisher.command('PUBLISH', 'a', '1')).toBe(1);
  expect(await publisher.command('PUBLISH', 'p1', '2')).toBe(1);
  expect(await publisher.command('PUBLISH', 'gone', '3')).toBe(0);
  await messages.count(2);
});

test('a subscription asked for while the connection is down is made with the next one', async () => {
  const subscriber = open();
  await subscriber.subscribe('a');
  const lost = new Promise<void>((resolve) => subscriber.on('lost', () => resolve()));
  await publisher.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await lost;
  await Promise.all([subscriber.subscribe('late'), subscriber.psubscribe('late*')]);
  expect(await publisher.command('PUBLISH', 'late', '1')).toBe(2);
});

test('an idle subscriber is checked by PING and stays connected', async () => {
  const subscriber = open(redis.url, { healthCheckMs: 50, replyTimeoutMs: 200 });
  let losses = 0;
  subscriber.on('lost', () => losses++);
  await subscriber.subscribe('a');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(losses).toBe(0);
  expect(await publisher.command('PUBLISH', 'a', '1')).toBe(1);
});

test('subscribing rejects when the connection gives up, and after close', async () => {
  const dead = open(`redis://127.0.0.1:${await freePort()}`, { maxRetries: 1 });
  await expect(dead.subscribe('a')).rejects.toThrow(BrokerConnectionError);
  const closed = open();
  await closed.subscribe('a');
  await closed.close();
  await closed.close();
  await expect(closed.subscribe('b')).rejects.toThrow(/is closed/);
});
