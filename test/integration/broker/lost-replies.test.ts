/**
 * The connection goes at the worst instant: Redis has carried a command out and its reply never arrives, so the client
 * sends it again; or the command itself never arrives. Whatever it was, each message is handed out once, each verb answers
 * the truth, and nothing stays behind.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Delivery } from '../../../src/broker/delivery.ts';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import { ADMIT, CONDEMN, GIVE_BACK } from '../../../src/broker/scripts/aside.ts';
import { DUE } from '../../../src/broker/scripts/due.ts';
import { JOIN, LEAVE, RENEW } from '../../../src/broker/scripts/lease.ts';
import { ACK, PARK, PUT_BACK, QUARANTINE } from '../../../src/broker/scripts/settle.ts';
import { TAKE } from '../../../src/broker/scripts/take.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { envelope, testChannel, testPort, type TestChannel } from '../../support/channel.ts';
import { calls, popsFrom, Proxy, type Instant } from '../../support/proxy.ts';
import { startServer, testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const keys = new BrokerKeys();
const instants: Instant[] = ['command', 'reply'];
let server: TestRedis;
let url: string;
let redis: RedisPort;
let proxy: Proxy;
let opened: TestChannel[] = [];

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  proxy = await Proxy.start(url);
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
  // So that the first call of each script is the call, not a NOSCRIPT.
  for (const script of [TAKE, ACK, PARK, PUT_BACK, QUARANTINE, ADMIT, CONDEMN, GIVE_BACK, DUE, JOIN, LEAVE, RENEW])
    await redis.command('SCRIPT', 'LOAD', script.lua);
});
afterEach(async () => {
  proxy.disarm();
  proxy.refuse(false);
  for (const { channel } of opened) {
    await channel.stopTaking().catch(() => undefined);
    await channel.leave().catch(() => undefined);
    // Where leaving failed, as some tests make it, its connection is still there.
    channel.destroy();
  }
  opened = [];
});
afterAll(async () => {
  await proxy.close();
  await redis.close();
  await server.stop();
});

function open(overrides: Parameters<typeof testChannel>[1] = {}): TestChannel {
  const opening = testChannel(proxy.url, overrides);
  opened.push(opening);
  return opening;
}

async function push(...tags: string[]): Promise<void> {
  for (const tag of tags) await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: tag }));
}

/** A channel that has been handed these messages. */
async function holding(tags: string[], overrides: Parameters<typeof testChannel>[1] = {}): Promise<TestChannel> {
  const opening = open(overrides);
  await opening.channel.start();
  await push(...tags);
  await until('delivered', () => opening.deliveries.length === tags.length);
  return opening;
}

/** Settles when a blocking pop waits on every list. */
async function blocked(): Promise<void> {
  await until('waiting', async () => {
    const clients = (await redis.command('CLIENT', 'LIST')) as string;
    return clients.split('\n').filter((line) => line.includes('cmd=blmove') && /flags=\w*b/.test(line)).length === 4;
  });
}

async function tagsIn(list = 'celery'): Promise<string[]> {
  const raws = (await redis.command('LRANGE', list, 0, -1)) as string[];
  return raws
    .map((raw) => (JSON.parse(raw) as { properties: { delivery_tag: string } }).properties.delivery_tag)
    .reverse();
}

async function fieldsHeld(): Promise<string[]> {
  return ((await redis.command('HKEYS', 'unacked')) as string[]).sort();
}

async function expectNothingLeft(): Promise<void> {
  expect(await fieldsHeld()).toEqual([]);
  expect(await redis.command('ZCARD', 'unacked_index')).toBe(0);
  expect(await tagsIn()).toEqual([]);
  const own = (await redis.command('KEYS', 'celeriac:*')) as string[];
  expect(own.filter((key) => /:(held|inbox|aside|parked):/.test(key))).toEqual([]);
}

describe.each(instants)('with the connection lost at the %s of', (instant) => {
  test('take: each message is handed out once', async () => {
    const { channel, deliveries } = open();
    await push('a', 'b', 'c');
    const lost = proxy.lose(instant, calls(TAKE));
    await channel.start();
    await lost;
    await push('d');
    await until('all', () => deliveries.length >= 4);
    expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual([true, true, true, true]);
    expect(deliveries.map((delivery) => delivery.field).sort()).toEqual(['a', 'b', 'c', 'd']);
    await expectNothingLeft();
  });

  test('ack: it tells that the message was ours, so that a task acknowledged early runs', async () => {
    const { deliveries, log } = await holding(['a', 'b']);
    const lost = proxy.lose(instant, calls(ACK));
    expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual([true, true]);
    await lost;
    expect(log.filter((line) => line.includes('Lease lost'))).toEqual([]);
    await expectNothingLeft();
  });

  test('ack: what others took in the meantime stays theirs, and is told', async () => {
    const { deliveries } = await holding(['a', 'b']);
    await redis.command('ZADD', 'unacked_index', Date.now() / 1000 + 1, 'b');
    const lost = proxy.lose(instant, calls(ACK));
    expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual([true, false]);
    await lost;
    expect(await fieldsHeld()).toEqual(['b']);
  });

  test('park: it is parked once, and handed out once when due', async () => {
    const { channel, deliveries, log } = await holding(['later']);
    const eta = Date.now() / 1000 + 0.5;
    const lost = proxy.lose(instant, calls(PARK));
    expect(await deliveries[0]?.park(eta)).toBe(true);
    await lost;
    channel.noteParked(eta);
    await until('due', () => deliveries.length === 2);
    expect(await deliveries[1]?.ack()).toBe(true);
    expect(log.filter((line) => line.includes('Lease lost'))).toEqual([]);
    await expectNothingLeft();
    expect(deliveries).toHaveLength(2);
  });

  test('due: what was due is handed out once', async () => {
    const { channel, deliveries } = await holding(['later']);
    const eta = Date.now() / 1000 + 0.3;
    const taken = proxy.hold(instant, (command) => calls(DUE)(command) && Date.now() / 1000 > eta - 0.05);
    await deliveries[0]?.park(eta);
    channel.noteParked(eta);
    (await taken).cut();
    await until('due', () => deliveries.length >= 2);
    await push('next');
    await until('still consuming', () => deliveries.some((delivery) => delivery.field === 'next'));
    expect(deliveries.map((delivery) => delivery.field)).toEqual(['later', 'later', 'next']);
    expect(await deliveries[1]?.ack()).toBe(true);
  });

  test('requeue: one copy is back in the queue', async () => {
    const test = await holding(['a']);
    test.demand = { free: 0, room: 0, ahead: 0 };
    const lost = proxy.lose(instant, calls(PUT_BACK));
    expect(await test.deliveries[0]?.requeue()).toBe(true);
    await lost;
    expect(await tagsIn()).toEqual(['a']);
    expect(await fieldsHeld()).toEqual([]);
    expect(test.log.filter((line) => line.includes('Lease lost'))).toEqual([]);
  });

  test('putting back on a warm stop: one copy of each, in order, and the count is right', async () => {
    const { channel, deliveries } = await holding(['a', 'b', 'c']);
    await channel.stopTaking();
    const lost = proxy.lose(instant, calls(PUT_BACK));
    expect(await channel.putBack(deliveries)).toBe(3);
    await lost;
    expect(await tagsIn()).toEqual(['a', 'b', 'c']);
    expect(await fieldsHeld()).toEqual([]);
  });

  test('quarantine: the bytes are kept once', async () => {
    const { deliveries } = await holding(['bad']);
    const lost = proxy.lose(instant, calls(QUARANTINE));
    expect(await deliveries[0]?.quarantine('why')).toBe(true);
    await lost;
    expect(await redis.command('XLEN', keys.quarantine)).toBe(1);
    await expectNothingLeft();
  });

  test('a blocking pop: the message in the inbox is handed out once', async () => {
    const { channel, deliveries } = open();
    const lost = proxy.lose(instant, popsFrom('celery'));
    await channel.start();
    if (instant === 'command') await lost;
    else await blocked();
    await push('a');
    await lost;
    await until('delivered', () => deliveries.length === 1);
    await push('b');
    await until('still consuming', () => deliveries.length === 2);
    expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual([true, true]);
    await expectNothingLeft();
    expect(deliveries).toHaveLength(2);
  });

  test('admitting what Lua could not judge: it is handed out once', async () => {
    const { channel, deliveries } = open();
    await redis.command('LPUSH', 'celery', envelope().replace('"priority":0', '"priority":0,"x":NaN'));
    const lost = proxy.lose(instant, calls(ADMIT));
    await channel.start();
    await lost;
    await until('delivered', () => deliveries.length === 1);
    await push('next');
    await until('still consuming', () => deliveries.some((delivery) => delivery.field === 'next'));
    expect(deliveries).toHaveLength(2);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    await expectNothingLeft();
  });

  test('condemning what is no message: its bytes are kept once', async () => {
    await redis.command('LPUSH', 'celery', 'no message');
    const lost = proxy.lose(instant, calls(CONDEMN));
    await open().channel.start();
    await lost;
    await until('quarantined', async () => (await redis.command('XLEN', keys.quarantine)) === 1);
    await until('nothing left', async () => await redis.command('KEYS', 'celeriac:aside:*'));
    expect(await redis.command('XLEN', keys.quarantine)).toBe(1);
    await expectNothingLeft();
  });

  test('giving an inbox back: one copy is back in the queue', async () => {
    const test = open();
    test.demand = { free: 1, room: 0, ahead: 0 };
    await test.channel.start();
    const popped = proxy.hold('reply', popsFrom('celery'));
    await blocked();
    await push('a');
    const landed = await popped;
    test.demand = { free: 0, room: 0, ahead: 0 };
    const lost = proxy.lose(instant, calls(GIVE_BACK));
    landed.pass();
    await lost;
    await until('back in the queue', async () => (await tagsIn()).length === 1);
    test.demand = { free: 1, room: 0, ahead: 0 };
    test.channel.changed();
    await until('delivered', () => test.deliveries.length === 1);
    expect(await test.deliveries[0]?.ack()).toBe(true);
    await expectNothingLeft();
  });

  test('joining and renewing: the membership stands', async () => {
    const joined = proxy.lose(instant, calls(JOIN));
    const { channel, deliveries, log } = open({ leaseSeconds: 1 });
    await channel.start();
    await joined;
    await proxy.lose(instant, calls(RENEW));
    await push('a');
    await until('delivered', () => deliveries.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await deliveries[0]?.ack()).toBe(true);
    expect(log.filter((line) => line.includes('joining anew'))).toEqual([]);
    expect(await redis.command('ZCARD', keys.members)).toBe(1);
  });

  test('handing parked messages back and leaving: one copy of each, nothing of the member', async () => {
    const { channel, deliveries } = await holding(['a', 'b']);
    const eta = Date.now() / 1000 + 3600;
    await Promise.all(deliveries.map((delivery, i) => delivery.park(eta + i)));
    const left = proxy.lose(instant, calls(LEAVE));
    const handedBack = proxy.lose(instant, calls(PUT_BACK));
    await channel.stopTaking();
    await channel.leave();
    await Promise.all([left, handedBack]);
    expect(await tagsIn()).toEqual(['a', 'b']);
    expect(await redis.command('KEYS', 'celeriac:*')).toEqual([]);
    expect(await fieldsHeld()).toEqual([]);
    opened = [];
  });

  test('recovering a dead member: each of its messages is handed out once', async () => {
    const dead = 'dead-instance';
    const tags = ['t0', 't1', 't2'];
    for (const [i, tag] of tags.entries()) {
      await redis.command('HSET', 'unacked', tag, `[${envelope({}, { delivery_tag: tag })}, "", "celery"]`);
      await redis.command('ZADD', 'unacked_index', 1000 + i, tag);
      await redis.command('ZADD', keys.held(dead), 1000 + i, tag);
    }
    await redis.command('LPUSH', keys.inbox(dead, 'celery'), envelope({}, { delivery_tag: 'inbox' }));
    await redis.command('ZADD', keys.members, 1, dead);
    await redis.command(
      'HSET',
      keys.member(dead),
      'node',
      'celery@gone',
      'queues',
      '["celery"]',
      'lists',
      '["celery"]',
    );
    const lost = Promise.all([
      proxy.lose(instant, (command) => calls(PUT_BACK)(command) && command.includes(dead)),
      proxy.lose(instant, (command) => calls(GIVE_BACK)(command) && command.includes(keys.inbox(dead, 'celery'))),
      proxy.lose(instant, (command) => calls(LEAVE)(command) && command.includes(dead)),
    ]);
    const { channel, deliveries } = open({ leaseSeconds: 1 });
    await channel.start();
    await lost;
    await until('all', () => deliveries.length >= 4);
    await until('buried', async () => (await redis.command('ZSCORE', keys.members, dead)) === null);
    expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual([true, true, true, true]);
    expect(deliveries.map((delivery) => delivery.field).sort()).toEqual(['inbox', ...tags]);
    await expectNothingLeft();
  });
});

describe('a lease that cannot be renewed', () => {
  test('stops the taking while it may have run out, since nobody recovers what a buried member takes', async () => {
    const { channel, deliveries } = await holding(['a'], { leaseSeconds: 1 });
    const renewal = await proxy.hold('command', calls(RENEW));
    const instance = deliveries[0]?.instance ?? '';
    await until('run out', async () => {
      const [seconds] = (await redis.command('TIME')) as [string];
      return Number(await redis.command('ZSCORE', keys.members, instance)) < Number(seconds);
    });
    await push('b');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await tagsIn()).toEqual(['b']);
    renewal.pass();
    await until('delivered', () => deliveries.length === 2);
    expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual([true, true]);
    await channel.stopTaking();
  });
});

describe('calls that end holds', () => {
  test('an ack that is sent again ends no hold that began since, as copies of one publish share their tag', async () => {
    const { channel, deliveries } = await holding(['copy']);
    await deliveries[0]?.ack();
    await push('copy');
    await until('the second copy', () => deliveries.length === 2);
    const instance = deliveries[0]?.instance ?? '';
    const again = (place: string, number: number): Promise<unknown> =>
      redis.run(ACK, [keys.member(instance), 'unacked', 'unacked_index', keys.held(instance)], [place, number, 'copy']);
    // The first call of this channel was the ack above.
    expect(await again('answer:0', 1)).toEqual([]);
    expect(await fieldsHeld()).toEqual(['copy']);
    expect(await again('answer:0', 2)).toEqual([]);
    expect(await fieldsHeld()).toEqual([]);
    await channel.stopTaking();
  });

  test('are made until Redis answers, also when the connection gave up meanwhile', async () => {
    const { channel, deliveries, log } = await holding(['sent', 'waiting'], {
      connection: { maxRetries: 2, backoff: { startMs: 10, stepMs: 0, maxMs: 10, jitter: 0 } },
    });
    const held = proxy.hold('reply', calls(ACK));
    const sent = deliveries[0]?.ack();
    await held;
    proxy.refuse(true);
    await until('noticed', () => !channel.redis.isReady);
    const waiting = deliveries[1]?.ack();
    await until('gave up', () => log.some((line) => line.includes('did not take "ack"')));
    proxy.refuse(false);
    expect(await Promise.all([sent, waiting])).toEqual([true, true]);
    await expectNothingLeft();
  });

  test('pass where Redis is out of memory, since they free what they take', async () => {
    const full = await startServer();
    const port = testPort(full.url);
    const { channel, deliveries } = testChannel(full.url);
    try {
      await channel.start();
      for (const tag of ['acked', 'parked', 'requeued', 'condemned'])
        await port.command('LPUSH', 'celery', envelope({}, { delivery_tag: tag }));
      await until('delivered', () => deliveries.length === 4);
      const of = (tag: string): Delivery => deliveries.find((delivery) => delivery.field === tag) as Delivery;
      await port.command('CONFIG', 'SET', 'maxmemory', '1');
      await expect(port.command('LPUSH', 'celery', 'x')).rejects.toThrow('OOM');
      expect(
        await Promise.all([
          of('acked').ack(),
          of('parked').park(Date.now() / 1000 + 3600),
          of('requeued').requeue(),
          of('condemned').quarantine('why'),
        ]),
      ).toEqual([true, true, true, true]);
    } finally {
      channel.destroy();
      await port.close();
      await full.stop();
    }
  });
});
