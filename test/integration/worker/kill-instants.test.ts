/**
 * SIGKILL at every step of a message's way: while a command of the worker is on its way to Redis, and when Redis has
 * carried it out and the worker has not heard of it. Whatever the instant, another celeriac worker gets what was not done,
 * within the lease, and nothing stays behind.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STORE } from '../../../src/backend/store-script.ts';
import { ADMIT, CONDEMN, GIVE_BACK, GIVE_BACK_ASIDE } from '../../../src/broker/scripts/aside.ts';
import { DUE } from '../../../src/broker/scripts/due.ts';
import { JOIN, LEAVE, RENEW } from '../../../src/broker/scripts/lease.ts';
import { ACK, PARK, PUT_BACK } from '../../../src/broker/scripts/settle.ts';
import { TAKE } from '../../../src/broker/scripts/take.ts';
import { Celeriac } from '../../../src/index.ts';
import type { RedisPort } from '../../../src/redis/port.ts';
import { testChannel, testPort, type TestChannel } from '../../support/channel.ts';
import { killLeftovers, startWorker, type RunningWorker } from '../../support/processes.ts';
import { calls, popsFrom, Proxy, type Held, type Instant, type Matcher } from '../../support/proxy.ts';
import { testRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const instants: Instant[] = ['command', 'reply'];
const settings = { celeriac_lease_seconds: 2, celeriac_recovery_interval: 0.5 };
const scripts = [TAKE, ADMIT, CONDEMN, DUE, GIVE_BACK, GIVE_BACK_ASIDE, JOIN, LEAVE, RENEW, ACK, PARK, PUT_BACK, STORE];
let server: TestRedis;
let url: string;
let redis: RedisPort;
let proxy: Proxy;
let client: Celeriac;
let folder: string;
let marks: string;
let survivor: TestChannel | undefined;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  folder = mkdtempSync(join(tmpdir(), 'celeriac-'));
  marks = join(folder, 'marks');
});
beforeEach(async () => {
  await redis.command('FLUSHDB');
  // So that the first call of each script is the call, not a NOSCRIPT.
  for (const script of scripts) await redis.command('SCRIPT', 'LOAD', script.lua);
  proxy = await Proxy.start(url);
  client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
  writeFileSync(marks, '');
});
afterEach(async () => {
  await killLeftovers();
  await survivor?.channel.stopTaking();
  await survivor?.channel.leave();
  survivor = undefined;
  await client.close();
  await proxy.close();
});
afterAll(async () => {
  await redis.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const ids = ['a', 'b', 'c', 'd', 'e'];

async function send(task: string, options: { seconds?: number; countdown?: number } = {}): Promise<void> {
  const { seconds = 0, countdown } = options;
  for (const id of ids) {
    const args = task === 'tasks.mark' ? [marks, id] : [marks, id, seconds];
    await client.sendTask(task, { args, taskId: id, ...(countdown === undefined ? {} : { countdown }) });
  }
}

function startVictim(concurrency = 2): Promise<RunningWorker> {
  return startWorker(
    { broker: proxy.url },
    { args: ['-c', String(concurrency), '-l', 'warning'], settings, awaitReady: false },
  );
}

function marked(): string[] {
  return readFileSync(marks, 'utf8').split('\n').slice(0, -1);
}

async function killAt(held: Promise<Held>, victim: RunningWorker): Promise<void> {
  await held;
  await victim.kill();
  proxy.cutAll();
}

/** Another celeriac worker: takes what it gets, and acknowledges it. The ids of the tasks it got. */
async function survive(): Promise<() => string[]> {
  const ran: string[] = [];
  survivor = testChannel(url, {
    leaseSeconds: 2,
    deliver: (deliveries) => {
      for (const delivery of deliveries) {
        ran.push((JSON.parse(delivery.raw.replace('NaN', '0')) as { headers: { id: string } }).headers.id);
        void delivery.ack();
      }
    },
  });
  await survivor.channel.start();
  return () => ran;
}

async function expectNothingLeft(): Promise<void> {
  await until('nothing is held, queued or anybody’s', async () => {
    const own = (await redis.command('KEYS', 'celeriac:*')) as string[];
    const left = own.filter((key) => /:(held|inbox|aside|parked|member):/.test(key));
    const counts = (await redis.pipeline([
      ['HLEN', 'unacked'],
      ['ZCARD', 'unacked_index'],
      ['LLEN', 'celery'],
      ['ZCARD', 'celeriac:members'],
    ])) as number[];
    // The survivor is a member, and nothing else.
    return left.length === 1 && counts.join() === '0,0,0,1';
  });
}

/** Late acknowledgement: each task ran at least once, and at most the one in hand twice. */
async function expectAllRan(ran: () => string[]): Promise<void> {
  await until('every task ran', () => ids.every((id) => [...marked(), ...ran()].includes(id)), 15_000);
  await expectNothingLeft();
}

describe.each(instants)('killed with the %s in the air of', (instant) => {
  const busy: [string, Matcher][] = [
    ['joining', calls(JOIN)],
    ['take', calls(TAKE)],
    ['storing a result', calls(STORE)],
    ['a late ack', calls(ACK)],
    ['a renewal', calls(RENEW)],
  ];
  test.each(busy)('%s', async (_what, matches) => {
    await send('tasks.mark_late');
    const held = proxy.hold(instant, matches);
    await killAt(held, await startVictim());
    await expectAllRan(await survive());
  });

  test('a blocking pop', async () => {
    const held = proxy.hold(instant, popsFrom('celery'));
    const victim = await startVictim();
    if (instant === 'command') await held;
    else await until('waiting', async () => ((await redis.command('CLIENT', 'LIST')) as string).includes('cmd=blmove'));
    await send('tasks.mark_late');
    await killAt(held, victim);
    await expectAllRan(await survive());
  });

  test('admitting what Lua could not judge', async () => {
    await send('tasks.mark_late');
    for (const _ of ids) {
      const raw = (await redis.command('LPOP', 'celery')) as string;
      await redis.command('RPUSH', 'celery', raw.replace('"properties": {', '"properties": {"x": NaN, '));
    }
    expect(await redis.command('LINDEX', 'celery', 0)).toContain('NaN');
    const held = proxy.hold(instant, calls(ADMIT));
    await killAt(held, await startVictim());
    await expectAllRan(await survive());
  });

  test('parking', async () => {
    await send('tasks.mark_late', { countdown: 1.5 });
    const held = proxy.hold(instant, calls(PARK));
    await killAt(held, await startVictim());
    const ran = await survive();
    // What had not been parked comes as it was sent; the survivor of this test does not park.
    await expectAllRan(ran);
    expect(marked()).toEqual([]);
    expect(ran().sort()).toEqual(ids);
  });

  test('taking what is due', async () => {
    const countdown = 2;
    await send('tasks.mark_late', { countdown });
    const dueAtMs = Date.now() + countdown * 1000;
    const held = proxy.hold(
      instant,
      (command, reply) => calls(DUE)(command) && (reply?.includes('mark_late') ?? Date.now() > dueAtMs),
    );
    const victim = await startVictim();
    await until('parked', async () => (await redis.command('ZCARD', 'celeriac:parked:celery')) === ids.length);
    await killAt(held, victim);
    await expectAllRan(await survive());
  });

  test.each<[string, Matcher]>([
    ['putting back what waits, on a warm stop', calls(PUT_BACK)],
    ['leaving, on a warm stop', calls(LEAVE)],
  ])('%s', async (_what, matches) => {
    await send('tasks.mark_late', { seconds: 0.3 });
    const victim = await startVictim(1);
    await until('busy', async () => (await redis.command('HLEN', 'unacked')) !== 0);
    const held = proxy.hold(instant, matches);
    await victim.kill('SIGTERM');
    await killAt(held, victim);
    await expectAllRan(await survive());
  });

  test.each<[string, Matcher]>([
    ['putting back what a dead member held', calls(PUT_BACK)],
    ['giving its inboxes back', calls(GIVE_BACK)],
    ['burying it', calls(LEAVE)],
  ])('recovering: %s', async (_what, matches) => {
    await send('tasks.mark_late', { seconds: 60 });
    const first = await startWorker({ broker: url }, { args: ['-c', '5'], settings });
    await until('all held', async () => (await redis.command('HLEN', 'unacked')) === ids.length);
    await first.kill();
    const instance = ((await redis.command('ZRANGE', 'celeriac:members', 0, -1)) as string[])[0] ?? 'none';
    const held = proxy.hold(instant, (command) => matches(command) && command.some((word) => word.includes(instance)));
    await killAt(held, await startVictim());
    await expectAllRan(await survive());
    expect(marked()).toEqual([]);
  });

  test('an early ack: the task ran at most once, and not at all only when it counted as started', async () => {
    await send('tasks.mark');
    const held = proxy.hold(instant, calls(ACK));
    const victim = await startVictim(1);
    await killAt(held, victim);
    const ran = await survive();
    const remaining = instant === 'command' ? ids : ids.slice(1);
    await until('the others ran', () => remaining.every((id) => ran().includes(id)), 15_000);
    await expectNothingLeft();
    expect([...marked(), ...ran()].sort()).toEqual(remaining);
  });
});

test('a reply of an early ack that is lost while the worker lives: the task runs exactly once', async () => {
  await send('tasks.mark');
  const lost = proxy.lose('reply', calls(ACK));
  const worker = await startVictim(1);
  await lost;
  await until('all ran', () => marked().length >= ids.length);
  expect(await worker.stop()).toBe(0);
  expect(marked()).toEqual(ids);
  expect(await redis.command('HLEN', 'unacked')).toBe(0);
});

test('an ack that arrives after its sender was stopped and recovered touches nothing of the new holder', async () => {
  await send('tasks.mark_late');
  const held = proxy.hold('command', calls(ACK));
  const worker = await startVictim(1);
  const ack = await held;
  await worker.kill('SIGSTOP');
  survivor = testChannel(url, { leaseSeconds: 2 });
  await survivor.channel.start();
  const { deliveries } = survivor;
  await until('taken over', () => deliveries.length === ids.length, 15_000);
  ack.pass();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await redis.command('HLEN', 'unacked')).toBe(ids.length);
  expect(await Promise.all(deliveries.map((delivery) => delivery.ack()))).toEqual(ids.map(() => true));
});
