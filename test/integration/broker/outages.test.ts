/**
 * Redis in every bad state an operator meets, under a real worker process: it says so once, with the reason and what to
 * do, tries again with growing pauses, and nothing is lost. Servers of its own, because they are killed and starved.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Celeriac } from '../../../src/index.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { testPort } from '../../support/channel.ts';
import { startWorker, type RunningWorker } from '../../support/processes.ts';
import { freePort, startServer, type TestServer } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

let directory: string;
let marks: string;
let servers: TestServer[];
let workers: RunningWorker[];
let clients: { close: () => Promise<void> }[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'celeriac-outage-'));
  marks = join(directory, 'marks');
  writeFileSync(marks, '');
  servers = [];
  workers = [];
  clients = [];
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all(workers.map((worker) => worker.kill()));
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(directory, { recursive: true, force: true });
});

async function server(args: readonly string[] = [], port?: number): Promise<TestServer> {
  const started = await startServer(args, port === undefined ? {} : { port });
  servers.push(started);
  return started;
}

async function worker(
  urls: { broker: string; backend?: string },
  { args = [], settings = {}, ...rest }: Parameters<typeof startWorker>[1] = {},
): Promise<RunningWorker> {
  // At level debug: the tries that are not told aloud are to be seen too.
  const started = await startWorker(urls, { args: ['-l', 'debug', ...args], settings, ...rest });
  workers.push(started);
  return started;
}

function client(broker: string, backend = broker): Celeriac {
  const app = new Celeriac('client', { brokerUrl: broker, resultBackend: backend });
  clients.push(app);
  return app;
}

function admin(url: string): RedisPort {
  const port = testPort(url);
  clients.push(port);
  return port;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lines of the log at one of these levels that match. */
function lines(from: RunningWorker, levels: string, pattern: RegExp): string[] {
  const head = new RegExp(`^\\[[^\\]]*: (${levels})/[^\\]]*\\] `);
  return from
    .output()
    .split('\n')
    .filter((line) => head.test(line) && pattern.test(line));
}

/** The pauses a reason was met with, in seconds. */
function pauses(from: RunningWorker, pattern = /Trying again/): number[] {
  return from
    .output()
    .split('\n')
    .filter((line) => pattern.test(line))
    .map((line) => Number(/in (\d+\.\d+) (?:s|second)/.exec(line)?.[1] ?? 0));
}

function marked(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(marks, 'utf8').split('\n'))
    if (line !== '') counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

function expectEachOnce(names: readonly string[]): void {
  const counts = marked();
  expect(names.filter((name) => counts.get(name) !== 1).map((name) => [name, counts.get(name)])).toEqual([]);
}

async function expectResults(app: Celeriac, ids: readonly string[], timeout: number): Promise<void> {
  const results = await Promise.all(ids.map((id) => app.asyncResult(id).get({ timeout })));
  expect(results).toEqual(ids);
}

/** Sends tasks that leave their id in `marks`, in turns acknowledged late and early; their ids. */
async function sendMarks(app: Celeriac, prefix: string, count: number, seconds: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  await Promise.all(
    ids.map((id, i) =>
      app.sendTask(i % 2 === 0 ? 'tasks.mark_late' : 'tasks.mark', {
        args: [marks, id, ...(i % 2 === 0 ? [seconds] : [])],
        taskId: id,
      }),
    ),
  );
  return ids;
}

const nothingHeld = (redis: RedisPort): Promise<void> =>
  until(
    'nothing is held',
    async () => (await redis.command('EXISTS', 'unacked', 'unacked_index', 'celery')) === 0,
    20_000,
  );

describe('a server that refuses connections', () => {
  test('at the start is waited for with growing pauses, and told once', async () => {
    const port = await freePort();
    const url = `redis://127.0.0.1:${port}/0`;
    const waiting = await worker({ broker: url }, { awaitReady: false });
    await until('three tries', () => pauses(waiting).length >= 3, 20_000);
    const tries = pauses(waiting);
    expect(tries).toEqual([...tries].sort((a, b) => a - b));
    expect(tries[2]).toBeGreaterThan(3);
    expect(lines(waiting, 'ERROR|CRITICAL', /./)).toEqual([
      expect.stringMatching(/consumer: Cannot connect to redis:\/\/127\.0\.0\.1:\d+\/0: nothing listens there/),
    ]);
    await server([], port);
    await until('ready', () => / ready\./.test(waiting.output()), 20_000);
    const app = client(url);
    expect(await (await app.sendTask('tasks.add', { args: [1, 2] })).get({ timeout: 10 })).toBe(3);
    expect(lines(waiting, 'INFO', /Connected to redis:/)).not.toEqual([]);
    expect(await waiting.stop()).toBe(0);
  }, 60_000);

  test.each([
    [
      { broker_connection_retry_on_startup: false },
      /Retrying to establish a connection .* has been disabled \(broker_connection_retry_on_startup=False\)/,
    ],
    [
      { broker_connection_retry: false },
      /Retrying to establish a connection .* has been disabled \(broker_connection_retry=False\)/,
    ],
    [{ broker_connection_max_retries: 1 }, /Trying again now... \(1\/1\)/],
  ])(
    'at the start ends the worker with exit code 1 where %j says so',
    async (settings, said) => {
      const url = `redis://127.0.0.1:${await freePort()}/0`;
      const refused = await worker({ broker: url }, { settings, awaitReady: false });
      await until('its end', () => refused.child.exitCode !== null, 20_000);
      expect(refused.child.exitCode).toBe(1);
      expect(refused.output()).toMatch(said);
      expect(refused.output()).toMatch(
        /^Error: cannot connect to redis:\/\/127\.0\.0\.1:\d+\/0: nothing listens there/m,
      );
      expect(refused.output()).not.toMatch(/^ +at /m);
    },
    40_000,
  );

  test.each([
    [
      { broker_connection_retry: false },
      /CRITICAL.*Retrying to re-establish a connection .* \(broker_connection_retry=False\)/,
    ],
    [
      { broker_connection_max_retries: 2 },
      /CRITICAL.*Unrecoverable error: cannot connect to redis:.*nothing listens there/,
    ],
  ])(
    'once the worker runs ends it with exit code 1 where %j says so',
    async (settings, said) => {
      const own = await server();
      const losing = await worker({ broker: `${own.url}/0` }, { settings });
      await own.kill();
      await until('its end', () => losing.child.exitCode !== null, 30_000);
      expect(losing.child.exitCode).toBe(1);
      expect(losing.output()).toMatch(said);
    },
    60_000,
  );

  test('does not keep a worker from stopping, neither before it has started nor when it has nothing to do', async () => {
    const own = await server();
    const never = await worker({ broker: `redis://127.0.0.1:${await freePort()}/0` }, { awaitReady: false });
    const idle = await worker({ broker: `${own.url}/0` });
    await own.kill();
    await until('it tries', () => pauses(never).length > 0, 20_000);
    await until('it is lost', () => lines(idle, 'WARNING', /Connection to broker lost/).length > 0);
    expect(await Promise.all([never.stop(), idle.stop()])).toEqual([0, 0]);
    expect(idle.output()).toContain('Redis is away: what this worker held is recovered by others');
  }, 60_000);
});

describe('a server that restarts', () => {
  test('under load loses no task and no result, and runs none twice', async () => {
    const args = ['--dir', directory, '--appendonly', 'yes'];
    const port = await freePort();
    let own = await server(args, port);
    const url = `${own.url}/0`;
    const app = client(url);
    const ids = await sendMarks(app, 'r', 600, 0.05);
    const running = await worker({ broker: url }, { args: ['-c', '10'] });
    for (const share of [100, 250, 400]) {
      await until(`${share} tasks ran`, () => marked().size >= share, 30_000);
      await own.kill();
      await pause(300);
      own = await server(args, port);
    }
    await expectResults(app, ids, 60);
    expectEachOnce(ids);
    await nothingHeld(admin(url));
    expect(lines(running, 'WARNING', /Connection to broker lost/).length).toBeLessThanOrEqual(3);
    expect(lines(running, 'ERROR|CRITICAL', /Cannot connect/).length).toBeLessThanOrEqual(6);
    expect(running.output()).not.toMatch(/Unexpected failure|INTERNAL ERROR|Lease lost/);
    expect(await running.stop()).toBe(0);
  }, 120_000);

  test('and loads for a while is waited for, and that is told once', async () => {
    const args = ['--dir', directory, '--appendonly', 'yes'];
    const port = await freePort();
    const first = await server(args, port);
    const url = `${first.url}/0`;
    const redis = admin(url);
    await redis.pipeline(Array.from({ length: 3000 }, (_, i) => ['SET', `ballast${i}`, 'x'] as const));
    const running = await worker({ broker: url });
    const app = client(url);
    await first.kill();
    const slow = ['--key-load-delay', '1500', '--loading-process-events-interval-bytes', '1024'];
    await server([...args, ...slow], port);
    const ids = await sendMarks(app, 'l', 4, 0);
    await expectResults(app, ids, 30);
    const told = lines(running, 'WARNING|ERROR|CRITICAL', /still loading/).filter((line) => line.includes('consumer:'));
    expect(told).toHaveLength(1);
  }, 60_000);
});

describe('a server that takes no writes', () => {
  test('because it became a replica: what runs is finished and stored when it is a master again', async () => {
    const own = await server();
    const url = `${own.url}/0`;
    const app = client(url);
    const redis = admin(url);
    const running = await worker({ broker: url });
    const ids = await sendMarks(app, 'o', 6, 1.5);
    await until('they run', async () => ((await redis.command('HLEN', 'unacked')) as number) === 3);
    await redis.command('REPLICAOF', '127.0.0.1', await freePort());
    await pause(6000);
    expect(marked().size).toBe(6);
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await expectResults(app, ids, 40);
    expectEachOnce(ids);
    await nothingHeld(redis);
    const told = lines(running, 'WARNING|ERROR|CRITICAL', /read-only replica/);
    // The broker connection, the results, the lease: each once.
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBeLessThanOrEqual(3);
    expect(told.join('\n')).toMatch(/connect to the master, or through Sentinel/);
    expect(await running.stop()).toBe(0);
  }, 90_000);

  test('because it is out of memory: tasks run, acks and results follow when memory is freed, nothing twice', async () => {
    const own = await server(['--maxmemory-policy', 'noeviction']);
    const url = `${own.url}/0`;
    const app = client(url);
    const redis = admin(url);
    // Longer than the lease: it must be renewed meanwhile, or the second worker takes everything over.
    const settings = { celeriac_lease_seconds: 3, celeriac_recovery_interval: 0.5 };
    const running = await worker({ broker: url }, { settings, args: ['-c', '4', '-n', 'one@%h'] });
    const ids = await sendMarks(app, 'm', 12, 0.5);
    await until('some run', () => marked().size > 0);
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    const second = await worker({ broker: url }, { settings, args: ['-c', '4', '-n', 'two@%h'] });
    await until('all have run', () => marked().size === 12, 20_000);
    await pause(5000);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await expectResults(app, ids, 40);
    expectEachOnce(ids);
    await nothingHeld(redis);
    for (const each of [running, second]) {
      const told = lines(each, 'ERROR|CRITICAL', /./);
      expect(told.length).toBeLessThanOrEqual(2);
      for (const line of told) expect(line).toMatch(/results can't be written.*OOM|raise maxmemory/);
      expect(each.output()).not.toMatch(/Recovered|Lease lost|ran out/);
    }
  }, 90_000);

  test('because it cannot save: told with the reason, and everything follows when it can again', async () => {
    const saves = mkdtempSync(join(tmpdir(), 'celeriac-saves-'));
    const own = await server(['--dir', saves]);
    const url = `${own.url}/0`;
    const app = client(url);
    const redis = admin(url);
    const running = await worker({ broker: url }, { args: ['-c', '2'] });
    const ids = await sendMarks(app, 's', 6, 1);
    await until('they run', () => marked().size > 0);
    // A save that fails: Redis then refuses writes, as it does where a disk is full.
    await redis.command('CONFIG', 'SET', 'save', '1 1', 'stop-writes-on-bgsave-error', 'yes');
    rmSync(saves, { recursive: true });
    await redis.command('BGSAVE');
    await until('the save failed', async () =>
      ((await redis.command('INFO', 'persistence')) as string).includes('rdb_last_bgsave_status:err'),
    );
    await until('it is told', () => lines(running, 'ERROR', /MISCONF/).length > 0, 15_000);
    await redis.command('CONFIG', 'SET', 'save', '', 'stop-writes-on-bgsave-error', 'no');
    await expectResults(app, ids, 40);
    expectEachOnce(ids);
    await nothingHeld(redis);
    expect(lines(running, 'ERROR|CRITICAL', /MISCONF/).length).toBeLessThanOrEqual(3);
  }, 90_000);
});

describe('a server that lets nobody in', () => {
  test.each([
    ['asks for a password', 'redis://127.0.0.1', /the server asks for a password: put it into the URL/],
    ['has another password', 'redis://:wrong@127.0.0.1', /user name or password is wrong/],
  ])(
    'and %s is tried again, told once, without the password, and used when it has been mended',
    async (_what, base, reason) => {
      const own = await server(['--requirepass', 'secret']);
      const url = `${base}:${own.port}/0`;
      const waiting = await worker({ broker: url }, { awaitReady: false });
      await until('three tries', () => pauses(waiting, /consumer: Cannot|Trying again in/).length >= 3, 20_000);
      const told = lines(waiting, 'ERROR|CRITICAL', /./);
      expect(told).toEqual([expect.stringMatching(reason)]);
      expect(waiting.output()).not.toContain('wrong@');
      const redis = admin(`redis://:secret@127.0.0.1:${own.port}/0`);
      await redis.command('CONFIG', 'SET', 'requirepass', base.includes('wrong') ? 'wrong' : '');
      await until('ready', () => / ready\./.test(waiting.output()), 20_000);
      const app = client(url);
      expect(await (await app.sendTask('tasks.add', { args: [1, 2] })).get({ timeout: 10 })).toBe(3);
    },
    60_000,
  );

  test('since its password was changed under the worker: held tasks end when it fits again', async () => {
    const own = await server(['--requirepass', 'secret']);
    const url = `redis://:secret@127.0.0.1:${own.port}/0`;
    const app = client(url);
    const redis = admin(url);
    const running = await worker({ broker: url });
    const ids = await sendMarks(app, 'p', 4, 1.5);
    await until('they run', async () => ((await redis.command('HLEN', 'unacked')) as number) === 2);
    await redis.command('CONFIG', 'SET', 'requirepass', 'changed');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('it is told', () => lines(running, 'ERROR', /user name or password is wrong/).length > 0, 20_000);
    await pause(3000);
    await redis.command('CONFIG', 'SET', 'requirepass', 'secret');
    await expectResults(app, ids, 40);
    expectEachOnce(ids);
    expect(lines(running, 'ERROR', /consumer:.*password is wrong/)).toHaveLength(1);
  }, 90_000);

  const kombuOnly = ['~celery*', '~unacked*', '~_kombu.binding.*', '~celery-task-meta-*', '&*', '+@all'];

  test("near celeriac's own keys ends the start with the rule that is missing", async () => {
    const own = await server();
    await admin(own.url).command('ACL', 'SETUSER', 'limited', 'on', '>pw', ...kombuOnly);
    const refused = await worker({ broker: `redis://limited:pw@127.0.0.1:${own.port}/0` }, { awaitReady: false });
    await until('its end', () => refused.child.exitCode !== null, 20_000);
    expect(refused.child.exitCode).toBe(1);
    expect(refused.output()).toMatch(/^Error: .*NOPERM.*celeriac:\*.*ACL SETUSER/m);
    expect(refused.output()).not.toMatch(/^ +at /m);
  }, 40_000);

  test("near celeriac's own keys since its rights were changed is tried again, told once, and goes on when they are back", async () => {
    const own = await server();
    const redis = admin(own.url);
    await redis.command('ACL', 'SETUSER', 'limited', 'on', '>pw', ...kombuOnly, '~celeriac:*');
    const running = await worker({ broker: `redis://limited:pw@127.0.0.1:${own.port}/0` });
    const app = client(`${own.url}/0`);
    const ids = await sendMarks(app, 'n', 4, 1.5);
    await until('they run', async () => ((await redis.command('HLEN', 'unacked')) as number) === 2);
    await redis.command('ACL', 'SETUSER', 'limited', 'resetkeys', ...kombuOnly);
    await pause(5000);
    await redis.command('ACL', 'SETUSER', 'limited', '~celeriac:*');
    await expectResults(app, ids, 40);
    expectEachOnce(ids);
    await nothingHeld(redis);
    expect(lines(running, 'ERROR|CRITICAL', /Cannot take messages.*NOPERM.*ACL SETUSER/)).toHaveLength(1);
    expect(lines(running, 'ERROR|CRITICAL', /Redis did not take "ack".*NOPERM/).length).toBeLessThanOrEqual(1);
  }, 90_000);
});

describe('a result backend of its own', () => {
  test('that is away for a while: results are kept, and late acks wait for them', async () => {
    const broker = await server();
    const port = await freePort();
    const backend = await server([], port);
    const urls = { broker: `${broker.url}/0`, backend: `${backend.url}/0` };
    const app = client(urls.broker, urls.backend);
    const redis = admin(urls.broker);
    const running = await worker(urls);
    await backend.kill();
    const ids = await sendMarks(app, 'b', 10, 0.2);
    await until('all ran', () => marked().size === 10, 20_000);
    await pause(1500);
    // Early acks are given; a late ack is not, as long as its result is not durable.
    expect(await redis.command('HLEN', 'unacked')).toBe(5);
    const told = lines(running, 'ERROR|CRITICAL', /./);
    expect(told).toEqual([expect.stringMatching(/results can't be written to redis:.*, they wait/)]);
    await server([], port);
    await expectResults(app, ids, 40);
    await nothingHeld(redis);
    expectEachOnce(ids);
    expect(lines(running, 'INFO', /results can be written again after/)).toHaveLength(1);
    expect(await running.stop()).toBe(0);
  }, 90_000);
});
