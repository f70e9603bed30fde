/** Options of kombu's Redis transport that change where things lie: all members must agree, whatever language they speak. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Celeriac } from '../../src/index.ts';
import { testPort } from '../support/channel.ts';
import { python, startPythonWorker, startWorker } from '../support/processes.ts';
import { keepingLogger } from '../support/quiet-logger.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let server: TestRedis;

beforeAll(async () => {
  server = await testRedis();
});
afterAll(async () => {
  await server.stop();
});

const freshFile = (): string => join(mkdtempSync(join(tmpdir(), 'celeriac-options-')), 'lines');

async function linesOf(file: string, count: number): Promise<string[]> {
  let lines: string[] = [];
  await until(`${count} lines`, () => {
    try {
      lines = readFileSync(file, 'utf8').trim().split('\n');
    } catch {
      return false;
    }
    return lines.length >= count;
  });
  return lines;
}

test('global_keyprefix: tasks, results, broadcasts and control cross between both sides, and every key has it', async () => {
  const url = server.freshDb();
  const redis = testPort(url);
  const settings = {
    broker_transport_options: { global_keyprefix: 'pre-' },
    result_backend_transport_options: { global_keyprefix: 'pre-' },
    task_queues: { celery: {}, theirs: {}, all: { exchange: 'all', exchange_type: 'fanout' } },
  };
  const client = new Celeriac('client', { broker_url: url, result_backend: url, ...settings });
  const workers = await Promise.all([
    startWorker({ broker: url }, { settings, args: ['-Q', 'celery,all'] }),
    startPythonWorker({ broker: url }, { settings, args: ['-P', 'solo', '-Q', 'theirs,all'] }),
  ]);
  const file = freshFile();
  const ask = (queue: string): Promise<string> =>
    client.sendTask<string>('tasks.who', { queue }).then((result) => result.get({ timeout: 10 }));
  expect(await ask('theirs')).toMatch(/^python@/);
  expect(await ask('celery')).toMatch(/^node@/);
  const program = `
hosts = [who.apply_async(queue=queue).get(timeout=10).split('@')[0] for queue in ('theirs', 'celery')]
app.send_task('tasks.mark', args=[${JSON.stringify(file)}, 'x'], queue='all')
hosts += sorted(name.split('@')[0] for reply in app.control.ping(timeout=2) for name in reply)
print(json.dumps(hosts))`;
  expect(await python({ broker: url }, program, settings)).toEqual(['python', 'node', 'node', 'python']);
  await linesOf(file, 2);
  const keys = (await redis.command('KEYS', '*')) as string[];
  expect(keys).toContain('pre-_kombu.binding.all');
  expect(keys.filter((key) => !key.startsWith('pre-'))).toEqual([]);
  for (const worker of workers) expect(await worker.stop()).toBe(0);
  await client.close();
  await redis.close();
}, 90_000);

describe('priority_steps and sep', () => {
  const settings = { broker_transport_options: { priority_steps: [0, 5], sep: ':' } };
  const priorities = [9, 0, 5, 4];

  test('a Python client fills the lists, a celeriac worker empties them, the lowest step first', async () => {
    const url = server.freshDb();
    const redis = testPort(url);
    const file = freshFile();
    const program = `
for priority in ${JSON.stringify(priorities)}:
    mark.apply_async((${JSON.stringify(file)}, str(priority)), priority=priority)`;
    await python({ broker: url }, program, settings);
    expect(await redis.command('LLEN', 'celery')).toBe(2);
    expect(await redis.command('LLEN', 'celery:5')).toBe(2);
    const worker = await startWorker({ broker: url }, { settings, args: ['-P', 'solo'] });
    expect(await linesOf(file, 4)).toEqual(['0', '4', '9', '5']);
    expect(await worker.stop()).toBe(0);
    await redis.close();
  });

  test('a celeriac client fills them, a Python worker empties them', async () => {
    const url = server.freshDb();
    const client = new Celeriac('client', { broker_url: url, result_backend: url, ...settings });
    const file = freshFile();
    for (const priority of priorities) {
      await client.sendTask('tasks.mark', { args: [file, String(priority)], priority });
    }
    const worker = await startPythonWorker({ broker: url }, { settings });
    expect(await linesOf(file, 4)).toEqual(['0', '4', '9', '5']);
    expect(await worker.stop()).toBe(0);
    await client.close();
  });
});

test.each([
  // Declared as b, a.
  ['round_robin', ['b1', 'a1', 'b2', 'a2', 'b3', 'a3']],
  ['priority', ['b1', 'b2', 'b3', 'a1', 'a2', 'a3']],
  ['sorted', ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']],
])('queue_order_strategy %s: a celeriac worker runs %j', async (strategy, order) => {
  const url = server.freshDb();
  const settings = { broker_transport_options: { queue_order_strategy: strategy } };
  const client = new Celeriac('client', { broker_url: url, result_backend: url });
  const file = freshFile();
  for (const queue of ['a', 'b']) {
    for (const number of [1, 2, 3]) {
      await client.sendTask('tasks.mark', { args: [file, `${queue}${number}`], queue });
    }
  }
  const worker = await startWorker(
    { broker: url },
    { settings, args: ['-P', 'solo', '-Q', 'b,a', '--prefetch-multiplier', '1'] },
  );
  const ran = await linesOf(file, 6);
  // Whose turn comes first is open where they take turns.
  expect(strategy === 'round_robin' && ran[0] === 'a1' ? ran.map(swapped) : ran).toEqual(order);
  expect(await worker.stop()).toBe(0);
  await client.close();
});

const swapped = (line: string): string => (line.startsWith('a') ? 'b' : 'a') + line.slice(1);

test('deadletter_queue keeps what no queue is bound for; without it the sender is told that it is dropped', async () => {
  const url = server.freshDb();
  const redis = testPort(url);
  const log: string[] = [];
  const send = async (options: Record<string, unknown>, route: { exchange: string; routingKey: string }) => {
    const client = new Celeriac('client', {
      broker_url: url,
      result_backend: url,
      task_queues: { celery: {}, m: { exchange: 'media', exchange_type: 'topic', routing_key: 'video.#' } },
      broker_transport_options: options,
    });
    client.configure({ logger: keepingLogger(log) });
    await client.sendTask('tasks.add', { taskId: 'lost', ...route });
    await client.close();
  };
  const nowhere = { exchange: 'media', routingKey: 'audio' };
  await send({}, nowhere);
  expect(log).toEqual([
    'WARNING Task tasks.add[lost] is dropped: no queue is bound to exchange "media" for the routing key "audio"',
  ]);
  await send({ deadletter_queue: 'dead' }, nowhere);
  await send({ deadletter_queue: 'dead' }, { exchange: 'unknown', routingKey: 'k' });
  expect(log).toHaveLength(1);
  expect(await redis.command('LLEN', 'dead')).toBe(2);
  await redis.close();
});
