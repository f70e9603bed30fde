import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ResultKeys } from '../../../src/backend/keys.ts';
import { BackendError, ConfigError, DecodeError, EncodeError } from '../../../src/errors.ts';
import type { ResultRecord } from '../../../src/protocol/result-meta.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { Harness, until } from './harness.ts';

let server: TestRedis;
let url: string;
let redis: RedisPort;
let harness: Harness;

beforeAll(async () => {
  server = await testRedis();
});
afterAll(() => server.stop());
beforeEach(() => {
  harness = new Harness();
  url = server.freshDb();
  redis = harness.redis(url);
});
afterEach(() => harness.closeAll());

const key = (id: string): string => `celery-task-meta-${id}`;
const exception = { exc_type: 'ValueError', exc_message: ['bad'], exc_module: 'builtins' };
const record = (taskId: string, state: string, result: unknown = null): ResultRecord => ({ taskId, state, result });

/** Everything published on task channels from now on. */
async function listen(): Promise<[string, string][]> {
  const heard: [string, string][] = [];
  const subscriber = harness.subscriber(url);
  subscriber.onMessage((channel, payload) => heard.push([channel, payload.toString()]));
  await subscriber.psubscribe('celery-task-meta-*');
  return heard;
}

describe('store', () => {
  test.each([
    ['STARTED', { pid: 7, hostname: 'celery@host' }],
    ['PROGRESS', { done: 1, total: 2 }],
    ['RETRY', exception],
    ['SUCCESS', [1, 'two', { three: null }]],
    ['FAILURE', exception],
    ['REVOKED', { exc_type: 'TaskRevokedError', exc_message: ['revoked'], exc_module: 'celery.exceptions' }],
  ])('writes %s for a day and publishes the same bytes', async (state, result) => {
    const id = `store-${state}`;
    const heard = await listen();
    const { backend } = harness.backend(url);
    await backend.store({ ...record(id, state, result), groupId: 'g', parentId: 'p' });
    const stored = (await redis.command('GET', key(id))) as string;
    expect(JSON.parse(stored)).toMatchObject({ status: state, result, group_id: 'g', parent_id: 'p', task_id: id });
    expect(stored.startsWith(`{"status": "${state}", "result": `)).toBe(true);
    expect(await redis.command('TTL', key(id))).toBe(86_400);
    await until(() => heard.length > 0, 'the message');
    expect(heard).toEqual([[key(id), stored]]);
  });

  test('keeps a stored SUCCESS, and publishes nothing then', async () => {
    const heard = await listen();
    const { backend } = harness.backend(url);
    await backend.store(record('a', 'SUCCESS', 1));
    for (const state of ['FAILURE', 'STARTED', 'REVOKED', 'SUCCESS'])
      await backend.store(record('a', state, exception));
    await backend.store(record('z', 'SUCCESS'));
    await until(() => heard.some(([channel]) => channel === key('z')), 'the last message');
    expect(heard.map(([channel]) => channel)).toEqual([key('a'), key('z')]);
    expect(await backend.fetch('a')).toMatchObject({ status: 'SUCCESS', result: 1 });
  });

  test('lets anything follow a FAILURE', async () => {
    const { backend } = harness.backend(url);
    for (const state of ['FAILURE', 'STARTED', 'RETRY', 'REVOKED', 'FAILURE', 'SUCCESS']) {
      await backend.store(record('a', state, state === 'SUCCESS' ? 1 : exception));
      expect((await backend.fetch('a')).status).toBe(state);
    }
  });

  const msgpackMap = (pairs: number, status: string): Buffer => {
    const head = pairs < 16 ? [0x80 | pairs] : [0xde, 0, pairs];
    return Buffer.from([...head, 0xa6, ...Buffer.from('status'), 0xa0 | status.length, ...Buffer.from(status)]);
  };
  test.each<[string, string | Buffer, boolean]>([
    ['compact JSON', '{"status":"SUCCESS","result":1}', true],
    ['spaced JSON', ' {\n "status" : "SUCCESS" }', true],
    ['JSON with its status last', '{"result": {"status": "FAILURE"}, "status": "SUCCESS"}', true],
    ['JSON with an escaped status', '{"status": "SUCCES\\u0053"}', true],
    ['short msgpack', msgpackMap(6, 'SUCCESS'), true],
    ['long msgpack', msgpackMap(20, 'SUCCESS'), true],
    ['compact JSON of another state', '{"status":"FAILURE","result":"SUCCESS"}', false],
    ['JSON whose result looks like a meta', '{"result": {"status": "SUCCESS"}, "status": "FAILURE"}', false],
    ['JSON with a state that only begins so', '{"status": "SUCCESSFUL"}', false],
    ['JSON with a state longer than the head', `{"status": "${'S'.repeat(200)}"}`, false],
    ['msgpack of another state', msgpackMap(6, 'FAILURE'), false],
    ['msgpack of a state that only begins so', msgpackMap(6, 'SUCCESSFUL'), false],
    ['an empty value', '', false],
    ['what is no meta', 'rubbish', false],
    ['deeply nested JSON', '['.repeat(5000), false],
    ['JSON without a status', '{"__proto__": {"status": "SUCCESS"}}', false],
  ])('judges %s', async (_what, stored, isSuccess) => {
    const { backend } = harness.backend(url);
    await redis.command('SET', key('a'), stored);
    await backend.store(record('a', 'FAILURE', exception));
    const after = (await redis.commandBuffers('GET', key('a'))) as Buffer;
    if (isSuccess) expect(after).toEqual(Buffer.from(stored));
    else expect(after.toString()).toContain('{"status": "FAILURE", "result": {"exc_type"');
  });

  test.each(['yaml', 'msgpack'])('with %s writes, reads and guards as with JSON', async (serializer) => {
    const { backend } = harness.backend(url, { meta: { serializer } });
    await backend.store(record('a', 'STARTED', { pid: 1 }));
    await backend.store(record('a', 'SUCCESS', { text: 'status: SUCCESS', n: [1, 2.5, null] }));
    await backend.store(record('a', 'FAILURE', exception));
    const result = { text: 'status: SUCCESS', n: [1, 2.5, null] };
    expect(await backend.fetch('a')).toMatchObject({ taskId: 'a', status: 'SUCCESS', result });
    await Promise.all(['STARTED', 'RETRY', 'FAILURE'].map((state) => backend.store(record('b', state, exception))));
    expect((await backend.fetch('b')).status).toBe('FAILURE');
  });

  test.each([
    [0, -1],
    [null, -1],
    [60, 60],
    [60.9, 60],
    [0.5, -1],
  ])('takes result_expires %j for a TTL of %j', async (expiresSeconds, ttl) => {
    const { backend } = harness.backend(url, { expiresSeconds });
    await backend.store(record('a', 'SUCCESS', 1));
    expect(await redis.command('TTL', key('a'))).toBe(ttl);
  });

  test('takes a time to live per record', async () => {
    const { backend } = harness.backend(url);
    await backend.store(record('a', 'SUCCESS', 1), { expiresSeconds: 5 });
    await backend.store(record('b', 'SUCCESS', 1), { expiresSeconds: null });
    expect(await redis.command('TTL', key('a'))).toBe(5);
    expect(await redis.command('TTL', key('b'))).toBe(-1);
    await expect(backend.store(record('c', 'SUCCESS', 1), { expiresSeconds: -1 })).rejects.toBeInstanceOf(ConfigError);
  });

  test.each([-1, Number.NaN, Infinity])('refuses result_expires %j', (expiresSeconds) => {
    expect(() => harness.backend(url, { expiresSeconds })).toThrow(ConfigError);
  });

  test('rejects what can not be serialised, and an id that is none, alone', async () => {
    const { backend } = harness.backend(url);
    const settled = await Promise.allSettled([
      backend.store(record('a', 'SUCCESS', () => 1)),
      backend.store(record('', 'SUCCESS', 1)),
      backend.store(record('b', 'SUCCESS', 1)),
    ]);
    expect(settled.map((one) => (one.status === 'rejected' ? (one.reason as Error).constructor : one.status))).toEqual([
      EncodeError,
      BackendError,
      'fulfilled',
    ]);
  });

  test('a key of another type fails its own record alone', async () => {
    const { backend } = harness.backend(url);
    await redis.command('RPUSH', key('id50'), 'x');
    const settled = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) => backend.store(record(`id${i}`, 'SUCCESS', i))),
    );
    expect(settled.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([50]);
    expect(String((settled[50] as PromiseRejectedResult).reason)).toMatch(/result of task id50 \(SUCCESS\).*WRONGTYPE/);
    expect(await redis.command('DBSIZE')).toBe(100);
  });

  test('a thousand records of one turn cost five calls', async () => {
    const { backend } = harness.backend(url);
    await backend.store(record('first', 'SUCCESS', 1));
    await redis.command('CONFIG', 'RESETSTAT');
    await Promise.all(Array.from({ length: 1000 }, (_, i) => backend.store(record(`id${i}`, 'SUCCESS', i))));
    const stats = (await redis.command('INFO', 'commandstats')) as string;
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe('5');
    expect(await redis.command('DBSIZE')).toBe(1001);
  });

  test('of two members racing for one task, an acknowledged SUCCESS is what stays', async () => {
    const one = harness.backend(url).backend;
    const two = harness.backend(url).backend;
    const ids = Array.from({ length: 300 }, (_, i) => `id${i}`);
    await Promise.all(
      ids.flatMap((id, i) => [
        one.store(record(id, i % 2 ? 'FAILURE' : 'SUCCESS', exception)),
        two.store(record(id, i % 2 ? 'SUCCESS' : 'FAILURE', exception)),
        one.store(record(id, 'FAILURE', exception)),
      ]),
    );
    const metas = await one.fetchMany(ids);
    expect(metas.every((meta) => !(meta instanceof Error) && meta.status === 'SUCCESS')).toBe(true);
  });

  test('the prefix stands before key and channel', async () => {
    const { backend } = harness.backend(url, { keys: new ResultKeys('app') });
    await backend.store(record('a', 'SUCCESS', 1));
    expect(await redis.command('KEYS', '*')).toEqual(['app_celery-task-meta-a']);
    await expect(backend.wait('a', { timeoutMs: 5000 })).resolves.toMatchObject({ result: 1 });
  });
});

describe('result_extended', () => {
  const extended = {
    name: 't.add',
    args: [1, 2],
    kwargs: { z: 3 },
    worker: 'w@host',
    retries: 1,
    queue: 'q',
    stampedHeaders: ['tag'],
    stamps: { tag: 'x' },
  };

  test('adds the request where it is set, nothing where it is not', async () => {
    const { backend } = harness.backend(url);
    await backend.store({ ...record('a', 'SUCCESS', 3), extended });
    expect((await backend.fetch('a')).extra).toEqual({});
    const second = harness.backend(url, { meta: { extended: true } }).backend;
    await second.store({ ...record('b', 'SUCCESS', 3), extended });
    const stored = (await redis.command('GET', key('b'))) as string;
    expect(Object.keys(JSON.parse(stored) as object).slice(5)).toEqual([
      'name',
      'args',
      'kwargs',
      'worker',
      'retries',
      'queue',
      'stamped_headers',
      'tag',
      'task_id',
    ]);
  });
});

describe('reading', () => {
  test('what is not there is PENDING', async () => {
    const { backend } = harness.backend(url);
    expect(await backend.fetch('nobody')).toMatchObject({ taskId: 'nobody', status: 'PENDING', result: null });
  });

  test('many in the order asked, what is unreadable as an Error in its place', async () => {
    const { backend } = harness.backend(url);
    await backend.store(record('a', 'SUCCESS', 1));
    await redis.command('SET', key('bad'), 'rubbish');
    const metas = await backend.fetchMany(['a', 'nobody', 'bad', 'a']);
    expect(metas[0]).toMatchObject({ status: 'SUCCESS' });
    expect(metas[1]).toMatchObject({ status: 'PENDING' });
    expect(metas[2]).toBeInstanceOf(DecodeError);
    expect(metas[3]).toEqual(metas[0]);
    expect(await backend.fetchMany([])).toEqual([]);
  });

  test.each([
    ['rubbish', 'no JSON at all'],
    ['"text"', 'no object'],
    ['{"result": 1}', 'no status'],
    ['{"status": 7}', 'a status that is no string'],
    ['['.repeat(100_000), 'nesting'],
  ])('rejects %# with DecodeError', async (stored) => {
    const { backend } = harness.backend(url);
    await redis.command('SET', key('a'), stored);
    await expect(backend.fetch('a')).rejects.toBeInstanceOf(DecodeError);
    await expect(backend.wait('a', { timeoutMs: 5000 })).rejects.toBeInstanceOf(DecodeError);
  });

  test('a key of another type is an error that says so', async () => {
    const { backend } = harness.backend(url);
    await redis.command('RPUSH', key('a'), 'x');
    await expect(backend.fetch('a')).rejects.toThrow(/WRONGTYPE/);
  });

  test('a serializer outside of result_accept_content is refused', async () => {
    const { backend } = harness.backend(url, { meta: { serializer: 'yaml', acceptContent: ['json'] } });
    await backend.store(record('a', 'SUCCESS', 1));
    await expect(backend.fetch('a')).rejects.toMatchObject({ code: 'CELERIAC_CONTENT_DISALLOWED' });
  });

  test('forget deletes', async () => {
    const { backend } = harness.backend(url);
    await backend.store(record('a', 'SUCCESS', 1));
    await backend.forget('a');
    expect(await redis.command('EXISTS', key('a'))).toBe(0);
    await backend.forget('a');
  });
});

describe('waiting', () => {
  test('thousands of waits end as the results come, over one subscription', async () => {
    const { backend } = harness.backend(url);
    const worker = harness.backend(url).backend;
    const ids = Array.from({ length: 3000 }, (_, i) => `id${i}`);
    await worker.store(record('id0', 'SUCCESS', 0));
    await redis.command('CONFIG', 'RESETSTAT');
    const all = Promise.all(ids.map((id) => backend.wait(id, { timeoutMs: 20_000 })));
    await Promise.all(ids.map((id, i) => worker.store(record(id, 'SUCCESS', i))));
    expect((await all).map(({ result }) => result)).toEqual(ids.map((_, i) => i));
    const stats = (await redis.command('INFO', 'commandstats')) as string;
    expect(Number(/cmdstat_subscribe:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(6);
    expect(Number(/cmdstat_mget:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(18);
    expect(stats).not.toContain('cmdstat_get:');
    await until(async () => {
      const channels = (await redis.command('PUBSUB', 'CHANNELS', '*')) as string[];
      return channels.length === 0;
    }, 'every channel unsubscribed');
  });

  test('a result stored while the subscriber was away is found when it is back', async () => {
    const { backend } = harness.backend(url);
    const worker = harness.backend(url).backend;
    const result = backend.wait('a', { timeoutMs: 20_000 });
    const later = backend.wait('b', { timeoutMs: 20_000 });
    const numsub = async (): Promise<unknown> => redis.command('PUBSUB', 'NUMSUB', key('a'));
    await until(async () => String(await numsub()) === `${key('a')},1`, 'the subscription');
    // Killed and stored in one transaction: nobody is subscribed when it is published.
    await redis.transaction([
      ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
      ['SET', key('a'), '{"status": "SUCCESS", "result": "meanwhile"}'],
      ['PUBLISH', key('a'), '{"status": "SUCCESS", "result": "meanwhile"}'],
    ]);
    await expect(result).resolves.toMatchObject({ result: 'meanwhile' });
    await worker.store(record('b', 'FAILURE', exception));
    await expect(later).resolves.toMatchObject({ status: 'FAILURE', result: exception });
  });

  test('of results stored at any moment around the start of the wait none is missed', async () => {
    const { backend } = harness.backend(url);
    const worker = harness.backend(url).backend;
    for (let round = 0; round < 100; round += 1) {
      const stores = [worker.store(record(`r${round}`, 'SUCCESS', round))];
      for (let turns = round % 10; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
      expect(await backend.wait(`r${round}`, { timeoutMs: 5000 })).toMatchObject({ result: round });
      await Promise.all(stores);
    }
  });
});

test('close writes what is pending and leaves no connection', async () => {
  const { backend } = harness.backend(url);
  const waiting = backend.wait('never');
  const rejected = expect(waiting).rejects.toBeInstanceOf(BackendError);
  await until(async () => String(await redis.command('CLIENT', 'LIST')).includes('name=waiter'), 'the subscriber');
  const stores = Array.from({ length: 500 }, (_, i) => backend.store(record(`id${i}`, 'SUCCESS', i)));
  await backend.close();
  await Promise.all(stores);
  await rejected;
  expect(await redis.command('DBSIZE')).toBe(500);
  await until(
    async () => !/name=(backend|waiter)/.test(String(await redis.command('CLIENT', 'LIST'))),
    'no connection',
  );
  await expect(backend.store(record('late', 'SUCCESS', 1))).rejects.toBeInstanceOf(BackendError);
  await backend.close();
});
