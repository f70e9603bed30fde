/** 100,000 tasks for later: they cost the worker no memory, hold nobody up, and outlive it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokerKeys } from '../../../src/broker/keys.ts';
import { Celeriac } from '../../../src/index.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { envelope, testPort } from '../../support/channel.ts';
import { startWorker } from '../../support/processes.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const keys = new BrokerKeys();
const COUNT = 100_000;
let server: TestRedis;
let url: string;
let redis: RedisPort;
let client: Celeriac;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
});
afterAll(async () => {
  await client.close();
  await redis.close();
  await server.stop();
});

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Messages of `tasks.add`, each with an id and a tag of its own. */
async function push(count: number, name: string, eta: string | null): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - from) }, (_, i) => {
      const id = `${name}-${from + i}`;
      return envelope(
        { headers: { lang: 'py', task: 'tasks.add', id, eta } },
        { delivery_tag: id, correlation_id: id },
      );
    });
    await redis.command('LPUSH', 'celery', ...batch);
  }
}

test(`${COUNT} parked messages take less than 20 MB, an immediate task behind them runs, a SIGKILL loses none`, async () => {
  const worker = await startWorker({ broker: url }, { args: ['-c', '100', '-l', 'warning'], awaitReady: false });
  // A worker that has worked: what a heap grows by at first is not the price of parking.
  await push(30_000, 'warm', null);
  const isDrained = async (): Promise<boolean> =>
    (await redis.command('LLEN', 'celery')) === 0 &&
    (await redis.command('EXISTS', 'celery-task-meta-warm-29999')) === 1;
  await until('warm', isDrained, 60_000);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = residentMiB(worker.pid);

  await push(COUNT, 'later', new Date(Date.now() + 3_600_000).toISOString());
  expect(await (await client.sendTask('tasks.add', { args: [2, 3] })).get({ timeout: 60 })).toBe(5);
  await until('all parked', async () => (await redis.command('ZCARD', keys.parked('celery'))) === COUNT, 60_000);
  await until('back to its size', () => residentMiB(worker.pid) - before < 20, 20_000);

  await worker.kill();
  expect(await redis.command('ZCARD', keys.parked('celery'))).toBe(COUNT);
  expect(await redis.command('HLEN', 'unacked')).toBe(COUNT);
  await redis.command('FLUSHDB');
}, 240_000);

test('what was parked by a worker that died runs when due, once, on another', async () => {
  const marks = join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'marks');
  writeFileSync(marks, '');
  const first = await startWorker({ broker: url });
  const ids = Array.from({ length: 50 }, (_, i) => `p${i}`);
  for (const id of ids) await client.sendTask('tasks.mark', { args: [marks, id], taskId: id, countdown: 4 });
  await until('parked', async () => (await redis.command('ZCARD', keys.parked('celery'))) === ids.length);
  await first.kill();
  const second = await startWorker({ broker: url });
  await Promise.all(ids.map((id) => client.asyncResult(id).get({ timeout: 30 })));
  expect(readFileSync(marks, 'utf8').trim().split('\n').sort()).toEqual([...ids].sort());
  expect(await second.stop()).toBe(0);
  expect(await redis.command('EXISTS', 'unacked', keys.parked('celery'))).toBe(0);
}, 120_000);
