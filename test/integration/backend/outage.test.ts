import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BackendError } from '../../../src/errors.ts';
import type { ResultRecord } from '../../../src/protocol/result-meta.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { startServer, type TestServer } from '../../support/redis.ts';
import { Harness, until } from './harness.ts';

let server: TestServer;
let url: string;
let redis: RedisPort;
let harness: Harness;

beforeEach(async () => {
  harness = new Harness();
  server = await startServer();
  url = `${server.url}/0`;
  redis = harness.redis(url);
});
afterEach(async () => {
  await harness.closeAll();
  await server.stop();
});

const key = (id: string): string => `celery-task-meta-${id}`;
const record = (taskId: string, state: string, result: unknown = null): ResultRecord => ({ taskId, state, result });
const levels = (log: readonly { level: string }[]): string[] => log.map(({ level }) => level);

describe('when the server dies', () => {
  test('results wait and are written when it is back, in order, told once at each end', async () => {
    const { backend, log } = harness.backend(url);
    await backend.store(record('before', 'SUCCESS', 0));
    await server.kill();
    const stores = Array.from({ length: 50 }, (_, i) => backend.store(record(`id${i}`, 'FAILURE')));
    stores.push(backend.store(record('id7', 'SUCCESS', 7)), backend.store(record('id7', 'FAILURE')));
    await until(() => log.length > 0, 'the outage is told');
    expect(backend.pendingStores).toBe(52);
    server = await startServer([], { port: server.port });
    await Promise.all(stores);
    expect((await backend.fetch('id7')).status).toBe('SUCCESS');
    expect(await redis.command('DBSIZE')).toBe(50);
    await until(() => log.length > 1, 'the end is told');
    expect(levels(log)).toEqual(['error', 'info']);
  });

  test('a wait goes on, and hears of the result that the new server gets', async () => {
    const { backend } = harness.backend(url);
    const worker = harness.backend(url).backend;
    const result = backend.wait('a', { timeoutMs: 20_000 });
    await until(async () => String(await redis.command('PUBSUB', 'CHANNELS')) === key('a'), 'the subscription');
    await server.kill();
    server = await startServer([], { port: server.port });
    await worker.store(record('a', 'SUCCESS', 1));
    await expect(result).resolves.toMatchObject({ result: 1 });
  });

  test('a client gives up after the time of its policy, for writing, reading and deleting', async () => {
    const { backend } = harness.backend(url, { keepForEver: false, retry: { policyMaxRetries: 1 } });
    await backend.store(record('before', 'SUCCESS', 0));
    await server.kill();
    await until(async () => (await Promise.allSettled([backend.fetch('before')]))[0].status === 'rejected', 'a loss');
    await expect(backend.store(record('a', 'SUCCESS', 1))).rejects.toThrow(/no connection for 0 s/);
    await expect(backend.fetch('a')).rejects.toMatchObject({ code: 'CELERIAC_BACKEND' });
    await expect(backend.forget('a')).rejects.toMatchObject({ code: 'CELERIAC_BACKEND' });
  });

  test('close gives up after its time, and tells which results are lost', async () => {
    const { backend, log } = harness.backend(url, { closeTimeoutMs: 100 });
    await backend.store(record('before', 'SUCCESS', 0));
    await server.kill();
    const store = backend.store(record('a', 'SUCCESS', 1));
    const rejected = expect(store).rejects.toThrow('result of task a (SUCCESS) not stored: Redis did not come back');
    await backend.close();
    await rejected;
    expect(log.at(-1)).toMatchObject({ level: 'error', fields: { results: ['result of task a (SUCCESS)'] } });
  });

  test('connections cut again and again lose no result and settle every promise', async () => {
    const { backend } = harness.backend(url);
    const stores: Promise<void>[] = [];
    for (let round = 0; round < 20; round += 1) {
      for (let i = 0; i < 20; i += 1) stores.push(backend.store(record(`r${round}-${i}`, 'SUCCESS', i)));
      if (round % 4 === 0) await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(stores);
    expect(await redis.command('DBSIZE')).toBe(400);
  });
});

describe('when the server takes no writes', () => {
  test('full (OOM): results wait until there is room', async () => {
    const { backend, log } = harness.backend(url);
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    const stores = ['a', 'b'].map((id) => backend.store(record(id, 'SUCCESS', id)));
    await until(() => log.length > 0, 'the outage is told');
    expect(log[0]?.message).toContain('OOM');
    expect(await redis.command('DBSIZE')).toBe(0);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await Promise.all(stores);
    expect(await redis.command('DBSIZE')).toBe(2);
  });

  test('turned into a replica (READONLY): results wait, and the connection is made anew to find the master', async () => {
    const { backend } = harness.backend(url);
    await backend.store(record('a', 'STARTED'));
    const connection = async (): Promise<string | undefined> =>
      /id=(\d+) .*name=backend /.exec(String(await redis.command('CLIENT', 'LIST')))?.[1];
    const before = await connection();
    await redis.command('REPLICAOF', '127.0.0.1', '1');
    let isStored = false;
    const store = backend.store(record('a', 'SUCCESS', 1)).then(() => (isStored = true));
    await until(async () => String(await redis.command('INFO', 'errorstats')).includes('READONLY'), 'a refusal');
    await until(async () => ![undefined, before].includes(await connection()), 'a new connection');
    expect(isStored).toBe(false);
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await store;
    expect((await backend.fetch('a')).status).toBe('SUCCESS');
  });

  test('a client with a limit of tries gives up with BackendError', async () => {
    const { backend } = harness.backend(url, { keepForEver: false, retry: { policyMaxRetries: 1 } });
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(backend.store(record('a', 'SUCCESS', 1))).rejects.toThrow(/gave up after 2 tries: .*OOM/);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
  });
});

describe('when the user lacks a permission', () => {
  const as = (user: string): string => url.replace('redis://', `redis://${user}:secret@`);

  test('for one key, its record fails alone', async () => {
    await redis.command('ACL', 'SETUSER', 'some', 'on', '>secret', '+@all', '&*', '~celery-task-meta-ok*');
    const { backend } = harness.backend(as('some'));
    const settled = await Promise.allSettled(
      ['ok1', 'no', 'ok2'].map((id) => backend.store(record(id, 'SUCCESS', id))),
    );
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const reason: unknown = (settled[1] as PromiseRejectedResult).reason;
    expect(reason).toBeInstanceOf(BackendError);
    expect(String(reason)).toMatch(/result of task no .*permission/);
    expect(await redis.command('DBSIZE')).toBe(2);
  });

  test('for the channel, the result is stored, and told once that nobody is woken', async () => {
    await redis.command('ACL', 'SETUSER', 'mute', 'on', '>secret', '+@all', '~*', 'resetchannels');
    const { backend, log } = harness.backend(as('mute'));
    await backend.store(record('a', 'SUCCESS', 1));
    await backend.store(record('b', 'SUCCESS', 1));
    expect(await redis.command('DBSIZE')).toBe(2);
    expect(log).toMatchObject([{ level: 'error', message: expect.stringContaining('not published') as unknown }]);
    await expect(backend.wait('c')).rejects.toMatchObject({ code: 'CELERIAC_BACKEND' });
  });

  test('for scripts, every store is rejected with what to do', async () => {
    await redis.command('ACL', 'SETUSER', 'plain', 'on', '>secret', '+@all', '-@scripting', '~*', '&*');
    const { backend } = harness.backend(as('plain'));
    const settled = await Promise.allSettled(['a', 'b'].map((id) => backend.store(record(id, 'SUCCESS', id))));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(String((settled[0] as PromiseRejectedResult).reason)).toMatch(/permission/);
  });
});
