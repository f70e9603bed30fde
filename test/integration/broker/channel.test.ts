/** The road from list to hand and back, on a real Redis: nothing lost, nothing twice, nobody else's touched. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { BrokerKeys, SEPARATOR } from '../../../src/broker/keys.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { envelope, testChannel, testPort, type TestChannel } from '../../support/channel.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const keys = new BrokerKeys();
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
    await channel.stopTaking().catch(() => undefined);
    await channel.leave().catch(() => undefined);
  }
  opened = [];
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

function open(overrides: Parameters<typeof testChannel>[1] = {}): TestChannel {
  const opening = testChannel(url, overrides);
  opened.push(opening);
  return opening;
}

async function held(): Promise<{ entries: number; index: number }> {
  return {
    entries: (await redis.command('HLEN', 'unacked')) as number,
    index: (await redis.command('ZCARD', 'unacked_index')) as number,
  };
}

async function queued(list = 'celery'): Promise<string[]> {
  return (await redis.command('LRANGE', list, 0, -1)) as string[];
}

describe('taking', () => {
  test('a message in the queue is held in unacked as kombu holds it, under its delivery tag', async () => {
    const raw = envelope({}, { delivery_tag: 'tag-1' });
    await redis.command('LPUSH', 'celery', raw);
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    expect(await queued()).toEqual([]);
    expect(await redis.command('HGET', 'unacked', 'tag-1')).toBe(`[${raw}, "", "celery"]`);
    const score = Number(await redis.command('ZSCORE', 'unacked_index', 'tag-1'));
    expect(Math.abs(score - Date.now() / 1000)).toBeLessThan(5);
    expect(deliveries[0]?.raw).toBe(raw);
  });

  test('an idle channel gets a message pushed later, and acknowledging leaves no trace of it', async () => {
    const { channel, deliveries } = open();
    await channel.start();
    await redis.command('LPUSH', 'celery', envelope());
    await until('delivered', () => deliveries.length === 1);
    expect(await deliveries[0]?.ack()).toBe(true);
    expect(await held()).toEqual({ entries: 0, index: 0 });
    expect(await queued()).toEqual([]);
  });

  test('urgent lists are emptied before others, whatever their age', async () => {
    for (const step of [9, 0, 6, 3]) {
      const list = step === 0 ? 'celery' : `celery${SEPARATOR}${step}`;
      await redis.command('LPUSH', list, envelope({}, { priority: step, delivery_tag: `step-${step}` }));
    }
    const { channel, deliveries } = open();
    await channel.start();
    await until('all delivered', () => deliveries.length === 4);
    expect(deliveries.map((delivery) => delivery.field)).toEqual(['step-0', 'step-3', 'step-6', 'step-9']);
  });

  test('two queues take turns within one batch', async () => {
    for (let i = 0; i < 10; i += 1) {
      await redis.command('LPUSH', 'a', envelope({}, { delivery_tag: `a${i}` }));
      await redis.command('LPUSH', 'b', envelope({}, { delivery_tag: `b${i}` }));
    }
    const queues = ['a', 'b'].map((name) => ({
      name,
      exchange: name,
      exchangeType: 'direct' as const,
      routingKey: name,
    }));
    const opening = open({ queues });
    opening.demand = { free: 6, room: 0, ahead: 0 };
    await opening.channel.start();
    await until('delivered', () => opening.deliveries.length === 6);
    expect(opening.deliveries.filter((delivery) => delivery.queue === 'a')).toHaveLength(3);
  });

  test('looking ahead takes a quarter of a long queue at the most, and nothing of a short one', async () => {
    for (let i = 0; i < 42; i += 1) await redis.command('LPUSH', 'celery', envelope());
    const opening = open();
    opening.demand = { free: 2, room: 100, ahead: 0 };
    opening.channel.start().catch(() => undefined);
    await until('delivered', () => opening.deliveries.length > 0);
    expect(opening.deliveries).toHaveLength(12);
  });

  test('copies of one publish that share a delivery tag are held apart', async () => {
    await redis.command(
      'LPUSH',
      'celery',
      envelope({}, { delivery_tag: 'same' }),
      envelope({}, { delivery_tag: 'same' }),
    );
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 2);
    expect(new Set(deliveries.map((delivery) => delivery.field)).size).toBe(2);
    expect(await held()).toEqual({ entries: 2, index: 2 });
  });

  test('a key of another type at a queue name is reported once and does not stop the other queues', async () => {
    await redis.command('SET', 'a', 'no list');
    await redis.command('LPUSH', 'b', envelope());
    const queues = ['a', 'b'].map((name) => ({
      name,
      exchange: name,
      exchangeType: 'direct' as const,
      routingKey: name,
    }));
    const { channel, deliveries, log } = open({ queues });
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    await redis.command('LPUSH', 'b', envelope());
    await until('still consuming', () => deliveries.length === 2);
    expect(log.filter((line) => line.startsWith('ERROR') && line.includes('"a"'))).toHaveLength(1);
  });
});

describe('what must not enter unacked', () => {
  const bad: [string, string | Buffer][] = [
    ['no JSON', '{"body": '],
    ['nan', envelope().replace('"priority":0', '"priority":nan')],
    ['a hexadecimal number', envelope().replace('"priority":0', '"priority":0x1F')],
    ['a number that ends with a point', envelope().replace('"priority":0', '"priority":1.')],
    ['headers a list', envelope({ headers: [] })],
    ['an unknown __type__', envelope({ headers: { task: 't', id: 'x', a: { __type__: 'pickle', __value__: 1 } } })],
    ['a hidden __type__', envelope().replace('"lang"', '"a":{"\\u005f_type__":"x","__value__":1},"lang"')],
    ['an integer of 5,000 digits', envelope().replace('"priority":0', `"priority":${'9'.repeat(5000)}`)],
    ['nesting of 5,000', envelope().replace('"lang":"py"', `"lang":${'['.repeat(5000)}${']'.repeat(5000)}`)],
    ['a raw control character', envelope().replace('tasks.add', 'tasks\u0001add')],
    ['delivery_info a list', envelope({}, { delivery_info: [] })],
    ['no delivery tag', envelope({}, { delivery_tag: null })],
    ['only white space', '   '],
  ];

  test.each(bad)('%s goes to the quarantine, bytes kept, and the next message is delivered', async (_what, raw) => {
    await redis.command('LPUSH', 'celery', raw);
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'good' }));
    const { channel, deliveries, log } = open();
    await channel.start();
    await until('the good one', () => deliveries.length === 1);
    expect(deliveries[0]?.field).toBe('good');
    await until('quarantined', async () => (await redis.command('XLEN', keys.quarantine)) === 1);
    const [entry] = (await redis.command('XRANGE', keys.quarantine, '-', '+')) as [string, string[]][];
    const fields = entry?.[1] ?? [];
    expect(fields[fields.indexOf('message') + 1]).toBe(raw);
    expect(await held()).toEqual({ entries: 1, index: 1 });
    expect(log.filter((line) => line.startsWith('CRITICAL'))).toHaveLength(1);
  });

  const doubtful: [string, string][] = [
    ['letters beyond ASCII', envelope({ headers: { task: 'aufgäbe', id: 'x', note: '😀' } })],
    ['NaN, which Python writes', envelope().replace('"priority":0', '"priority":0,"x":NaN')],
    [
      'a known typed value',
      envelope({ headers: { task: 't', id: 'x', at: { __type__: 'date', __value__: '2026-01-02' } } }),
    ],
    ['white space between tokens', JSON.stringify(JSON.parse(envelope()), null, 2)],
    ['a large message', envelope({ body: Buffer.alloc(100_000, 'x').toString('base64') })],
    ['an empty list somewhere', envelope({ headers: { task: 't', id: 'x', stamped_headers: [] } })],
    ['empty headers', envelope({ headers: {} })],
  ];

  test.each(doubtful)('%s is admitted after the full check, every byte kept', async (_what, raw) => {
    await redis.command('LPUSH', 'celery', raw);
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    expect(deliveries[0]?.raw).toBe(raw);
    expect(await redis.command('HVALS', 'unacked')).toEqual([`[${raw}, "", "celery"]`]);
    expect(await redis.command('XLEN', keys.quarantine)).toBe(0);
  });
});

describe('headers that are null', () => {
  test('become an object before the message enters unacked: Python would lose it when it restores it', async () => {
    const raw = envelope({ headers: null });
    await redis.command('LPUSH', 'celery', raw);
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    expect(JSON.parse(deliveries[0]?.raw ?? '')).toEqual({ ...(JSON.parse(raw) as object), headers: {} });
  });
});

describe('the fence', () => {
  test('an ack after a Python member restored and took the message touches nothing', async () => {
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'tag' }));
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    await redis.command('ZADD', 'unacked_index', Date.now() / 1000 + 1, 'tag');
    expect(await deliveries[0]?.ack()).toBe(false);
    expect(await held()).toEqual({ entries: 1, index: 1 });
  });

  test.each(['requeue', 'quarantine', 'park'] as const)('%s is fenced likewise', async (verb) => {
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'tag' }));
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    const score = Date.now() / 1000 + 1;
    await redis.command('ZADD', 'unacked_index', score, 'tag');
    const [delivery] = deliveries;
    const ours =
      verb === 'requeue'
        ? delivery?.requeue()
        : verb === 'park'
          ? delivery?.park(score + 100)
          : delivery?.quarantine('why');
    expect(await ours).toBe(false);
    expect(await held()).toEqual({ entries: 1, index: 1 });
    expect(Number(await redis.command('ZSCORE', 'unacked_index', 'tag'))).toBeCloseTo(score, 3);
    expect(await queued()).toEqual([]);
  });

  test('held entries are scored anew by the lease thread, and can still be acknowledged', async () => {
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'tag' }));
    const { channel, deliveries } = open({ leaseSeconds: 1 });
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    const before = Number(await redis.command('ZSCORE', 'unacked_index', 'tag'));
    await until('scored anew', async () => Number(await redis.command('ZSCORE', 'unacked_index', 'tag')) > before);
    expect(await deliveries[0]?.ack()).toBe(true);
    expect(await held()).toEqual({ entries: 0, index: 0 });
  });
});

describe('putting back', () => {
  test('requeue puts a message at the back, marked as redelivered, all else unchanged', async () => {
    const raw = envelope({}, { delivery_tag: 'first' });
    await redis.command('LPUSH', 'celery', raw);
    const opening = open();
    opening.demand = { free: 1, room: 0, ahead: 0 };
    await opening.channel.start();
    await until('delivered', () => opening.deliveries.length === 1);
    opening.demand = { free: 0, room: 0, ahead: 0 };
    await redis.command('LPUSH', 'celery', envelope());
    expect(await opening.deliveries[0]?.requeue()).toBe(true);
    const [back] = await queued();
    const marked = JSON.parse(back ?? '') as {
      headers: { redelivered?: boolean };
      properties: { delivery_info: { redelivered?: boolean } };
    };
    expect(marked.headers.redelivered).toBe(true);
    expect(marked.properties.delivery_info.redelivered).toBe(true);
    delete marked.headers.redelivered;
    delete marked.properties.delivery_info.redelivered;
    expect(marked).toEqual(JSON.parse(raw));
  });

  test('several put back keep their order and come first', async () => {
    for (let i = 0; i < 5; i += 1) await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: `t${i}` }));
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 5);
    await channel.stopTaking();
    expect(await channel.putBack(deliveries)).toBe(5);
    const tags = (await queued())
      .reverse()
      .map((raw) => (JSON.parse(raw) as { properties: { delivery_tag: string } }).properties.delivery_tag);
    expect(tags).toEqual(['t0', 't1', 't2', 't3', 't4']);
    expect(await held()).toEqual({ entries: 0, index: 0 });
  });
});

describe('parking', () => {
  test('a parked message waits in unacked under its ETA, and is delivered when due', async () => {
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'later' }));
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    const eta = Date.now() / 1000 + 0.7;
    expect(await deliveries[0]?.park(eta)).toBe(true);
    channel.noteParked(eta);
    expect(Number(await redis.command('ZSCORE', 'unacked_index', 'later'))).toBeCloseTo(eta, 3);
    expect(await redis.command('ZCARD', keys.parked('celery'))).toBe(1);
    await until('due', () => deliveries.length === 2);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(eta);
    expect(Date.now() / 1000).toBeLessThan(eta + 1);
    expect(await deliveries[1]?.ack()).toBe(true);
    expect(await held()).toEqual({ entries: 0, index: 0 });
  });

  test('one that a Python member restored and took meanwhile is left to it', async () => {
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'later' }));
    const { channel, deliveries } = open();
    await channel.start();
    await until('delivered', () => deliveries.length === 1);
    const eta = Date.now() / 1000 + 0.3;
    await deliveries[0]?.park(eta);
    channel.noteParked(eta);
    await redis.command('ZADD', 'unacked_index', eta + 0.01, 'later');
    await until('dropped from the schedule', async () => (await redis.command('ZCARD', keys.parked('celery'))) === 0);
    expect(deliveries).toHaveLength(1);
    expect(await held()).toEqual({ entries: 1, index: 1 });
  });

  test('the last celeriac worker of a queue hands parked messages back when it leaves, an earlier one does not', async () => {
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'later' }));
    const first = open();
    await first.channel.start();
    await until('delivered', () => first.deliveries.length === 1);
    const second = open();
    await second.channel.start();
    await first.deliveries[0]?.park(Date.now() / 1000 + 3600);
    await first.channel.stopTaking();
    await first.channel.leave();
    expect(await redis.command('ZCARD', keys.parked('celery'))).toBe(1);
    await second.channel.stopTaking();
    await second.channel.leave();
    expect(await redis.command('ZCARD', keys.parked('celery'))).toBe(0);
    expect(await queued()).toHaveLength(1);
    expect(await held()).toEqual({ entries: 0, index: 0 });
    opened = [];
  });
});

describe('members', () => {
  test('leaving cleanly leaves no key of ours but those that are to stay', async () => {
    const { channel } = open();
    await channel.start();
    await channel.stopTaking();
    await channel.leave();
    expect(await redis.command('KEYS', '*celeriac:*')).toEqual([]);
    opened = [];
  });

  test('what a dead member held, had in an inbox and had set aside goes back, oldest first', async () => {
    const dead = 'dead-instance';
    const tags = ['t0', 't1', 't2'];
    for (const [i, tag] of tags.entries()) {
      const score = 1000 + i;
      await redis.command('HSET', 'unacked', tag, `[${envelope({}, { delivery_tag: tag })}, "", "celery"]`);
      await redis.command('ZADD', 'unacked_index', score, tag);
      await redis.command('ZADD', keys.held(dead), score, tag);
    }
    await redis.command('LPUSH', keys.inbox(dead, 'celery'), envelope({}, { delivery_tag: 'inbox' }));
    await redis.command('LPUSH', keys.aside(dead), `6:celery${envelope({}, { delivery_tag: 'aside' })}`);
    await redis.command('ZADD', keys.members, 1, dead);
    await redis.command(
      'HSET',
      keys.member(dead),
      'node',
      'celery@gone',
      'pid',
      1,
      'queues',
      '["celery"]',
      'lists',
      '["celery"]',
    );
    const { channel, deliveries } = open();
    await channel.start();
    await until('all five', () => deliveries.length === 5);
    expect(deliveries.map((delivery) => delivery.field).filter((field) => field.startsWith('t'))).toEqual(tags);
    await until('buried', async () => (await redis.command('ZSCORE', keys.members, dead)) === null);
    expect(
      await redis.command('EXISTS', keys.member(dead), keys.held(dead), keys.inbox(dead, 'celery'), keys.aside(dead)),
    ).toBe(0);
  });

  test('parked messages of a queue whose only celeriac worker died go back into it', async () => {
    const dead = 'dead-instance';
    const eta = Date.now() / 1000 + 3600;
    await redis.command('HSET', 'unacked', 'later', `[${envelope({}, { delivery_tag: 'later' })}, "", "other"]`);
    await redis.command('ZADD', 'unacked_index', eta, 'later');
    await redis.command('ZADD', keys.parked('other'), eta, 'later');
    await redis.command('ZADD', keys.parked('celery'), eta, 'of-a-living-queue');
    await redis.command('ZADD', keys.members, 1, dead);
    await redis.command('HSET', keys.member(dead), 'queues', '["other", "celery"]', 'lists', '[]');
    const { channel } = open();
    await channel.start();
    await until('handed back', async () => (await queued('other')).length === 1);
    expect(await redis.command('EXISTS', keys.parked('other'))).toBe(0);
    expect(await redis.command('ZCARD', keys.parked('celery'))).toBe(1);
    await redis.command('DEL', keys.parked('celery'));
  });

  test('a member whose lease still runs is left alone', async () => {
    const alive = 'alive-instance';
    await redis.command('HSET', 'unacked', 'tag', `[${envelope()}, "", "celery"]`);
    const score = Date.now() / 1000;
    await redis.command('ZADD', 'unacked_index', score, 'tag');
    await redis.command('ZADD', keys.held(alive), score, 'tag');
    await redis.command('ZADD', keys.members, score + 60, alive);
    const { channel, deliveries } = open();
    await channel.start();
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(deliveries).toHaveLength(0);
  });

  test('an entry of a dead Python member is restored after the visibility timeout, to the front and marked', async () => {
    await redis.command('HSET', 'unacked', 'old', `[${envelope({}, { delivery_tag: 'old' })}, "", "celery"]`);
    await redis.command('ZADD', 'unacked_index', Date.now() / 1000 - 100, 'old');
    const { channel, deliveries } = open({ visibilityTimeoutSeconds: 60 });
    await channel.start();
    await until('restored and delivered', () => deliveries.length === 1);
    expect(deliveries[0]?.raw).toContain('"redelivered": true');
    expect(await redis.command('EXISTS', 'unacked_mutex')).toBe(0);
  });

  test('a poisonous entry of somebody else goes to the quarantine and does not stop the sweep', async () => {
    const old = Date.now() / 1000 - 100;
    await redis.command(
      'HSET',
      'unacked',
      'bad',
      '[{"headers": null}, null]',
      'good',
      `[${envelope({}, { delivery_tag: 'good' })}, "", "celery"]`,
    );
    await redis.command('ZADD', 'unacked_index', old, 'bad', old + 1, 'good');
    const { channel, deliveries } = open({ visibilityTimeoutSeconds: 60 });
    await channel.start();
    await until('the good one', () => deliveries.length === 1);
    await until('the bad one', async () => (await redis.command('XLEN', keys.quarantine)) === 1);
    expect(await redis.command('HEXISTS', 'unacked', 'bad')).toBe(0);
  });
});

describe('an outage', () => {
  test('messages held in Redis that nobody here knows of are adopted after a reconnect', async () => {
    const { channel, deliveries } = open();
    await channel.start();
    await redis.command('LPUSH', 'celery', envelope());
    await until('delivered', () => deliveries.length === 1);
    // As if the reply of a take had been lost: held under the instance, unknown to the process.
    const instance = deliveries[0]?.instance ?? '';
    await redis.command(
      'HSET',
      'unacked',
      'lost-reply',
      `[${envelope({}, { delivery_tag: 'lost-reply' })}, "", "celery"]`,
    );
    const score = Date.now() / 1000;
    await redis.command('ZADD', 'unacked_index', score, 'lost-reply');
    await redis.command('ZADD', keys.held(instance), score, 'lost-reply');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('adopted', () => deliveries.some((delivery) => delivery.field === 'lost-reply'));
    await redis.command('LPUSH', 'celery', envelope({}, { delivery_tag: 'after' }));
    await until('still consuming', () => deliveries.some((delivery) => delivery.field === 'after'));
    expect(deliveries.filter((delivery) => delivery.field === 'lost-reply')).toHaveLength(1);
  });

  test('a member that was wiped from Redis joins anew and goes on', async () => {
    const { channel, deliveries, log } = open({ leaseSeconds: 1 });
    await channel.start();
    await redis.command('FLUSHDB');
    await until('noticed', () => log.some((line) => line.includes('joining anew')), 5000);
    await redis.command('LPUSH', 'celery', envelope());
    await until('delivered', () => deliveries.length === 1);
    expect(await deliveries[0]?.ack()).toBe(true);
  });
});
