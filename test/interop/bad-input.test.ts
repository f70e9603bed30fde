/** One bad message at a time: logged once with its reason, answered where Celery answers, kept in the quarantine. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Celeriac } from '../../src/index.ts';
import { sentences } from '../../src/log.ts';
import type { RedisPort } from '../../src/redis/port.ts';
import { BAD_MESSAGES_MAX_BYTES, badMessages, message, oddMessages } from '../support/bad-messages.ts';
import { testPort } from '../support/channel.ts';
import { startPythonWorker, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const PROBLEM = /^\[[^\]]*: (WARNING|ERROR|CRITICAL)\/[^\]]*\]/;

let server: TestRedis;
let url: string;
let redis: RedisPort;
let client: Celeriac;
let worker: RunningWorker;

beforeAll(async () => {
  server = await testRedis();
  url = server.freshDb();
  redis = testPort(url);
  client = new Celeriac('client', { brokerUrl: url, resultBackend: url });
  worker = await startWorker({ broker: url }, { settings: { celeriac_max_message_bytes: BAD_MESSAGES_MAX_BYTES } });
}, 60_000);
afterAll(async () => {
  await client.close();
  await worker.kill();
  await redis.close();
  await server.stop();
});

interface Quarantined {
  readonly message: Buffer;
  readonly reason: string;
  readonly queue: string;
}

async function quarantined(): Promise<Quarantined[]> {
  const stream = (await redis.commandBuffers('XRANGE', 'celeriac:quarantine', '-', '+')) as [Buffer, Buffer[]][];
  return stream.map(([, pairs]) => {
    const fields = new Map(pairs.map((name, i) => [name.toString(), pairs[i + 1] as Buffer]));
    const text = (name: string): string => fields.get(name)?.toString() ?? '';
    return { message: fields.get('message') as Buffer, reason: text('reason'), queue: text('queue') };
  });
}

async function stillWorks(): Promise<void> {
  const good = await client.sendTask('tasks.pollution');
  expect(await good.get({ timeout: 20 })).toEqual([null, []]);
}

/** Nothing is held: neither the bad message nor a good one. */
async function nothingHeld(): Promise<void> {
  await until(
    'nothing is held',
    async () => (await redis.command('EXISTS', 'unacked', 'unacked_index', 'celery')) === 0,
  );
}

interface Answer {
  readonly status: string;
  readonly result: unknown;
}

async function answerOf(port: RedisPort, id: string): Promise<Answer> {
  let text: string | null = null;
  await until(`an answer for ${id}`, async () => {
    text = (await port.command('GET', `celery-task-meta-${id}`)) as string | null;
    return text !== null;
  });
  const status = (JSON.parse((text as unknown as string).replaceAll(/NaN|-?Infinity/g, '0')) as Answer).status;
  // As text: numbers of any length, NaN, and keys such as __proto__ are compared as they stand.
  return { status, result: /"result": (.*), "traceback"/.exec(text as unknown as string)?.[1] };
}

describe('a bad message', () => {
  test.each(badMessages())('$what is refused for a reason, and kept', async ({ raw, reason, answered }) => {
    await redis.command('DEL', 'celeriac:quarantine');
    const from = worker.output().length;
    await redis.command('LPUSH', 'celery', raw);
    await until('it is in the quarantine', async () => (await quarantined()).length > 0);
    await stillWorks();
    await nothingHeld();
    const kept = await quarantined();
    expect(kept.map(({ message: bytes }) => bytes.equals(Buffer.from(raw as string)))).toEqual([true]);
    expect(kept[0]?.queue).toBe('celery');
    const problems = worker
      .output()
      .slice(from)
      .split('\n')
      .filter((line) => PROBLEM.test(line));
    expect(problems).toEqual([expect.stringMatching(reason)]);
    if (answered !== undefined) expect((await answerOf(redis, answered)).status).toBe('FAILURE');
    // Those of the good tasks apart, whose ids are UUIDs.
    const metas = ((await redis.command('KEYS', 'celery-task-meta-*')) as string[]).filter((key) => key.length < 50);
    expect(metas).toEqual(answered === undefined ? [] : [`celery-task-meta-${answered}`]);
    if (answered !== undefined) await redis.command('DEL', `celery-task-meta-${answered}`);
  });

  test('with headers null and no task in its body is called an unknown message, and kept with the headers it may be held with', async () => {
    await redis.command('DEL', 'celeriac:quarantine');
    const from = worker.output().length;
    await redis.command('LPUSH', 'celery', message('null', { envelope: { headers: null } }));
    await until('it is in the quarantine', async () => (await quarantined()).length > 0);
    await stillWorks();
    expect(JSON.parse((await quarantined())[0]?.message.toString() ?? '')).toMatchObject({ headers: {} });
    const problems = worker
      .output()
      .slice(from)
      .split('\n')
      .filter((line) => PROBLEM.test(line));
    expect(problems).toEqual([expect.stringContaining(sentences.unknownMessage('').split('\n')[0] as string)]);
  });
});

describe('beside a Python worker', () => {
  let other: string;
  let otherRedis: RedisPort;
  let pythonWorker: RunningWorker;

  beforeAll(async () => {
    other = server.freshDb();
    otherRedis = testPort(other);
    pythonWorker = await startPythonWorker({ broker: other });
  }, 60_000);
  afterAll(async () => {
    await pythonWorker.kill();
    await otherRedis.close();
  });

  const answered = badMessages().filter((bad) => bad.answered !== undefined);
  const cases = [
    ...answered.map(({ what, raw, answered: id }) => ({ what, raw: raw as string, id: id as string })),
    ...oddMessages(),
  ];
  test.each(cases)('$what is answered alike', async ({ id, raw }) => {
    for (const port of [redis, otherRedis]) await port.command('LPUSH', 'celery', raw);
    const [ours, theirs] = [await answerOf(redis, id), await answerOf(otherRedis, id)];
    const plain = (answer: Answer): Answer => ({
      ...answer,
      result: String(answer.result).replaceAll('interop_app.', ''),
    });
    expect(plain(ours)).toEqual(plain(theirs));
    await nothingHeld();
  });
});

describe('a body of 64 MB', () => {
  const body = `[["${'x'.repeat(64 * 1024 * 1024)}"], {}, {}]`;

  test('runs where it is within the limit', async () => {
    const large = await startWorker({ broker: url }, { args: ['-Q', 'large'] });
    await redis.command('LPUSH', 'large', message('m1', { bodyText: body, headers: { task: 'tasks.size' } }));
    expect(await client.asyncResult('m1').get({ timeout: 30 })).toBe(64 * 1024 * 1024);
    expect(await large.stop()).toBe(0);
    await nothingHeld();
  });

  test('is kept in the quarantine where it is beyond celeriac_max_message_bytes, and nothing else suffers', async () => {
    await redis.command('DEL', 'celeriac:quarantine');
    const settings = { celeriac_max_message_bytes: 1_000_000 };
    const small = await startWorker({ broker: url }, { args: ['-Q', 'small'], settings });
    const raw = message('m2', { bodyText: body, headers: { task: 'tasks.size' } });
    await redis.command('LPUSH', 'small', raw, message('m3'));
    expect(await client.asyncResult('m3').get({ timeout: 30 })).toBe(4);
    await until('it is in the quarantine', async () => (await redis.command('XLEN', 'celeriac:quarantine')) === 1);
    const [kept] = await quarantined();
    expect(kept?.message.equals(Buffer.from(raw))).toBe(true);
    expect(kept?.reason).toMatch(/over celeriac_max_message_bytes \(1000000\)/);
    expect(await small.stop()).toBe(0);
    expect(small.output().match(/over celeriac_max_message_bytes/g)).toHaveLength(1);
    await redis.command('DEL', 'celeriac:quarantine');
  });
});

describe('a key of another type', () => {
  test("at a queue's name is told once; the other queues go on, and so does it once the key is gone", async () => {
    await redis.command('SET', 'blocked', 'x');
    const own = await startWorker({ broker: url }, { args: ['-Q', 'blocked,free'] });
    await redis.command('LPUSH', 'free', message('t1'));
    expect(await client.asyncResult('t1').get({ timeout: 10 })).toBe(4);
    await redis.command('DEL', 'blocked');
    await redis.command('LPUSH', 'blocked', message('t2'));
    expect(await client.asyncResult('t2').get({ timeout: 10 })).toBe(4);
    expect(await own.stop()).toBe(0);
    const told = own
      .output()
      .split('\n')
      .filter((line) => PROBLEM.test(line));
    expect(told).toEqual([expect.stringMatching(/The key "blocked" of a queue holds something that is no list/)]);
  });

  test.each(['unacked', 'unacked_index'])(
    'at %s stops the taking, with the reason and growing pauses, until it is gone',
    async (key) => {
      const own = await startWorker({ broker: url }, { args: ['-Q', 'own'] });
      await redis.command('DEL', key);
      await redis.command('SET', key, 'x');
      await redis.command('LPUSH', 'own', message(`t-${key}`));
      await until('it is told', () => /WRONGTYPE.*used for something else/.test(own.output()), 15_000);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      expect(await redis.command('LLEN', 'own')).toBe(1);
      // One line for the outage, however many tries.
      const told = own
        .output()
        .split('\n')
        .filter((line) => PROBLEM.test(line) && line.includes('WRONGTYPE'));
      expect(told).toHaveLength(1);
      await redis.command('DEL', key);
      expect(await client.asyncResult(`t-${key}`).get({ timeout: 30 })).toBe(4);
      expect(await own.stop()).toBe(0);
    },
  );
});
