/** Whatever dies, no task is lost: killed at random instants, stopped and continued, with and without celeriac survivors. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Celeriac } from '../../src/index.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { findPython, startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const KILLS = Number(process.env['CELERIAC_TEST_KILLS'] ?? 100);
const settings = { celeriac_lease_seconds: 3, celeriac_recovery_interval: 0.5 };

let server: TestRedis;
let url: string;
let redis: RedisPort;
let client: Celeriac;
let marks: string;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
  client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
  marks = join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'marks');
  writeFileSync(marks, '');
});

function marked(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(marks, 'utf8').split('\n'))
    if (line !== '') counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

async function sendMarks(from: number, count: number, seconds: number): Promise<string[]> {
  const lines = Array.from({ length: count }, (_, i) => `m${from + i}`);
  await Promise.all(
    lines.map((line) => client.sendTask('tasks.mark_late', { args: [marks, line, seconds], taskId: line })),
  );
  return lines;
}

async function heldNow(): Promise<number> {
  return (await redis.command('HLEN', 'unacked')) as number;
}

test(`${KILLS} SIGKILLs at random instants under load lose nothing; the survivors recover it within the lease`, async () => {
  const start = (): Promise<RunningWorker> =>
    startWorker({ broker: url }, { args: ['-c', '20', '-l', 'error'], settings, awaitReady: false });
  const lines: string[] = [];
  const survivor = await startWorker({ broker: url }, { args: ['-c', '2'], settings });
  let victims = await Promise.all([start(), start(), start()]);
  for (let kills = 0; kills < KILLS;) {
    lines.push(...(await sendMarks(lines.length, 30, 0.02)));
    // From before the first connection to the middle of the load: a start takes about half a second here.
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1500));
    await Promise.all(victims.map((victim) => victim.kill()));
    kills += victims.length;
    victims = await Promise.all([start(), start(), start()]);
  }
  await Promise.all(victims.map((victim) => victim.kill()));
  await until('every task ran', () => lines.every((line) => marked().has(line)), 60_000);
  await until('nothing is held any more', async () => (await heldNow()) === 0, 30_000);
  for (const line of lines) expect(await client.asyncResult(line).state()).toBe('SUCCESS');
  const repeated = [...marked().values()].filter((count) => count > 1).length;
  expect(repeated).toBeLessThan(lines.length / 2);
  expect(survivor.output()).toContain('Recovered');
  await until(
    'every dead member is buried',
    async () => (await redis.command('ZCARD', 'celeriac:members')) === 1,
    30_000,
  );
  await survivor.stop();
  await client.close();
  const own = (await redis.command('KEYS', 'celeriac:*')) as string[];
  expect(own).toEqual([]);
}, 300_000);

test('with no celeriac worker left, a Python member takes everything over after its visibility timeout', async () => {
  expect(findPython()).toBeDefined();
  const worker = await startWorker({ broker: url }, { args: ['-c', '5'], settings });
  const lines = await sendMarks(0, 40, 0.3);
  await client.sendTask('tasks.mark_late', { args: [marks, 'parked'], taskId: 'parked', countdown: 3 });
  await until('some are under way', async () => (await heldNow()) >= 5);
  await worker.kill();
  expect(await heldNow()).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 4000));
  const pythonWorker = await startPythonWorker(
    { broker: url },
    { settings: { broker_transport_options: { visibility_timeout: 1 } }, args: ['-P', 'threads', '-c', '10'] },
  );
  await until('every task ran', () => lines.every((line) => marked().has(line)), 60_000);
  await until('the parked one ran', () => marked().has('parked'), 60_000);
  expect(await pythonWorker.stop()).toBe(0);
  expect(pythonWorker.output()).not.toContain('Traceback');
  await client.close();
}, 180_000);

test('a holder that was stopped for longer than its lease never touches the entry of the one that took over', async () => {
  const first = await startWorker({ broker: url }, { args: ['-c', '1', '-n', 'first@%h'], settings });
  await client.sendTask('tasks.mark_late', { args: [marks, 'once', 4], taskId: 'once' });
  await until('the first holds it', async () => (await heldNow()) === 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const second = await startWorker({ broker: url }, { args: ['-c', '1', '-n', 'second@%h'], settings });
  await first.kill('SIGSTOP');
  await until('the second took over', () => second.output().includes('Task tasks.mark_late[once] received'), 20_000);
  await first.kill('SIGCONT');
  // The first ends its run about now, while the second is in the middle of its own.
  await until('the first was refused', () => first.output().includes('Lease lost'), 20_000);
  expect(second.output()).not.toContain('succeeded');
  expect(await heldNow()).toBe(1);
  await until('the second ends it', async () => (await heldNow()) === 0, 20_000);
  expect(marked().get('once')).toBe(2);
  expect(await client.asyncResult('once').get({ timeout: 5 })).toBe('once');
  // The first joined anew and works on.
  await client.sendTask('tasks.add', { args: [1, 2], taskId: 'after' });
  expect(await client.asyncResult('after').get({ timeout: 10 })).toBe(3);
  await Promise.all([first.stop(), second.stop()]);
  await client.close();
}, 120_000);
