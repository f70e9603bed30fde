/** What a worker does with each way a task can end, as a Python client sees it; and what it leaves in Redis. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisPort } from '../../src/redis/port.ts';
import { testPort } from '../support/channel.ts';
import { python, startWorker, type RunningWorker } from '../support/processes.ts';
import { testRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const APP = join(import.meta.dirname, '..', 'fixtures', 'apps', 'semantics.mjs');

let server: TestRedis;
let url: string;
let redis: RedisPort;

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
});

const start = (settings: Record<string, unknown> = {}, args: string[] = []): Promise<RunningWorker> =>
  startWorker({ broker: url }, { app: APP, settings, args });

/** Each call is `call(name, *args, **options)` and gives [state, result or [exception class, its arguments]]. */
const PRELUDE = `
import time
from celery.exceptions import *
def send(name, *args, **options):
    return app.send_task(name, args=args, **options)
def answer(result, timeout=20):
    value = result.get(timeout=timeout, propagate=False)
    return [result.state, [type(value).__name__, list(value.args)] if isinstance(value, BaseException) else value]
def call(name, *args, **options):
    return answer(send(name, *args, **options))
def plain(value):
    return {'exc_type': type(value).__name__, 'exc_message': list(value.args), 'exc_module': type(value).__module__}
def out(value):
    print(json.dumps(value, default=plain))
`;
const ask = (program: string): Promise<unknown> => python({ broker: url }, PRELUDE + program);
const marks = (): string => join(mkdtempSync(join(tmpdir(), 'celeriac-')), 'marks');
const read = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
/** An empty object where nothing is stored. */
const stored = async (id: string): Promise<Record<string, unknown>> =>
  JSON.parse(((await redis.command('GET', `celery-task-meta-${id}`)) as string | null) ?? '{}') as Record<
    string,
    unknown
  >;
const held = (): Promise<unknown> => redis.command('HLEN', 'unacked');

describe('with one worker', () => {
  let worker: RunningWorker;

  beforeAll(async () => {
    worker = await start();
  });
  afterAll(async () => {
    expect(await worker.stop()).toBe(0);
    const left = (await redis.command('KEYS', '*')) as string[];
    expect(left.filter((key) => key.startsWith('unacked') || key.startsWith('celeriac:') || key === 'celery')).toEqual(
      [],
    );
  });

  test('a rate-limited task starts at its rate, and holds up no other', async () => {
    const [times, others] = (await ask(`
rated = [send('s.rated') for _ in range(4)]
rare = [send('s.rated_rarely', n, task_id=f'rare{n}') for n in range(3)]
others = [call('s.add', n, 1) for n in range(3)]
out([[r.get(timeout=20) for r in rated], others])`)) as [number[], unknown];
    expect(others).toEqual([
      ['SUCCESS', 1],
      ['SUCCESS', 2],
      ['SUCCESS', 3],
    ]);
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
    for (const gap of gaps) {
      expect(gap).toBeGreaterThan(200);
      expect(gap).toBeLessThan(600);
    }
    // The first had its token; the others wait un-acknowledged, for an hour.
    expect(await stored('rare0')).toMatchObject({ status: 'SUCCESS' });
    expect(await held()).toBe(2);
    await ask(`
for n in range(3): app.control.revoke(f'rare{n}')
time.sleep(0.3)`);
  });

  test('a retry keeps priority, custom headers, limits and expiry, and has the task as its parent', async () => {
    const program = `
out(call('s.retry', priority=7, headers={'x-mine': 1}, time_limit=50, expires=60, task_id='r1'))`;
    const [state, result] = (await ask(program)) as [string, Record<string, unknown>];
    expect(state).toBe('SUCCESS');
    expect(result).toEqual({
      retries: 1,
      priority: 7,
      headers: { 'x-mine': 1 },
      parentId: 'r1',
      rootId: 'r1',
      timeLimit: 50,
      expires: expect.stringMatching(/^\d{4}-.*\+00:00$/),
    });
  });

  test('RETRY is stored with the cause, and the task itself as its child', async () => {
    const seen = (await ask(`
states = []
result = send('s.retry', {'countdown': 0.5})
result.get(timeout=10, on_message=lambda body: states.append(body))
out([result.id, states])`)) as [string, Record<string, unknown>[]];
    const [id, [retry, success]] = seen;
    expect(retry).toMatchObject({
      status: 'RETRY',
      result: { exc_type: 'ValueError', exc_message: ['try again'], exc_module: 'builtins' },
      children: [[[id, null], null]],
      date_done: null,
    });
    expect(success).toMatchObject({ status: 'SUCCESS', parent_id: id });
  });

  test('when no retry is left: the error given, or MaxRetriesExceededError', async () => {
    const answers = await ask(`out([call('s.retry_for_ever', 'k'), call('s.retry_for_ever', task_id='m1')])`);
    expect(answers).toEqual([
      ['FAILURE', ['KeyError', ['k']]],
      ['FAILURE', ['MaxRetriesExceededError', ["Can't retry s.retry_for_ever[m1] args:() kwargs:{}"]]],
    ]);
  });

  test('listed errors are retried by themselves, others are not', async () => {
    const answers = await ask(`
out([call('s.autoretry', 'ValueError', 2), call('s.autoretry', 'ValueError'), call('s.autoretry', 'KeyError')])`);
    expect(answers).toEqual([
      ['SUCCESS', 2],
      ['FAILURE', ['ValueError', ['x']]],
      ['FAILURE', ['KeyError', ['x']]],
    ]);
  });

  test('a retry that cannot be sent fails its task', async () => {
    const [state, [excType, [text]]] = (await ask(`out(call('s.retry_unsendable'))`)) as [string, [string, string[]]];
    expect([state, excType]).toEqual(['FAILURE', 'EncodeError']);
    expect(text).toMatch(/a function/);
  });

  test('Reject puts a late-acknowledged message back or drops it; an early one it cannot', async () => {
    const answers = await ask(`
dropped, early = send('s.reject', task_id='d1'), send('s.reject_early', task_id='e1')
out(call('s.reject_once'))
time.sleep(0.3)`);
    expect(answers).toEqual(['SUCCESS', 'second time']);
    expect(await stored('d1')).toEqual({});
    expect(await stored('e1')).toEqual({});
    expect(await held()).toBe(0);
    expect(worker.output()).toMatch(/Task s\.reject\[d1\] Reject\('no thanks', requeue=False\)/);
  });

  test('Ignore leaves the state that the task stored', async () => {
    await ask(`send('s.ignore', task_id='i1')`);
    await until('its state', async () => (await stored('i1'))['status'] === 'MINE');
    await until('the line', () => worker.output().includes('Task s.ignore[i1] ignored'));
    expect(await stored('i1')).toMatchObject({ status: 'MINE', result: 1 });
  });

  test('a late-acknowledged failure is dropped where it is not to be acknowledged', async () => {
    expect(await ask(`out(call('s.fail_late'))`)).toEqual(['FAILURE', ['ValueError', ['late']]]);
    await until('nothing held', async () => (await held()) === 0);
  });

  test('the soft limit aborts: billiard’s error, unless the handler catches it', async () => {
    const answers = await ask(`
out([call('s.soft', False), call('s.soft', True), call('s.soft_checkpoint'), call('s.soft_checkpoint', soft_time_limit=0.1)])`);
    const failed = ['FAILURE', ['SoftTimeLimitExceeded', []]];
    expect(answers).toEqual([failed, ['SUCCESS', [true, 'AbortError']], failed, failed]);
    expect(worker.output()).toMatch(/Soft time limit \(0\.3s\) exceeded for s\.soft\[/);
    expect(worker.output()).toMatch(/Soft time limit \(0\.1s\) exceeded for s\.soft_checkpoint\[/);
  });

  test('the hard limit fails the task at once; what its handler does later changes nothing, and is reported', async () => {
    const answer = (await ask(`
start = time.time()
value = call('s.hard', 4, task_id='h1')
out([value, time.time() - start])`)) as [unknown, number];
    expect(answer[0]).toEqual(['FAILURE', ['TimeLimitExceeded', [0.4]]]);
    expect(answer[1]).toBeLessThan(4);
    await until('the report', () => /Task s\.hard\[h1\] ran on for 3\.\d+s after its hard/.test(worker.output()));
    expect(await stored('h1')).toMatchObject({
      status: 'FAILURE',
      result: { exc_type: 'TimeLimitExceeded', exc_message: [0.4], exc_module: 'billiard.exceptions' },
      traceback: null,
    });
    expect(worker.output()).toMatch(/Hard time limit \(0\.4s\) exceeded for s\.hard\[h1\]/);
  });

  test('the limits of the call win over those of the task', async () => {
    const answers = await ask(`
out([call('s.hard', 0.6, time_limit=5), call('s.sleep', 3, time_limit=0.2)])`);
    expect(answers).toEqual([
      ['SUCCESS', 'too late'],
      ['FAILURE', ['TimeLimitExceeded', [0.2]]],
    ]);
  });

  test('a late-acknowledged task that ran out of time goes back to its queue where it is not to be acknowledged', async () => {
    const file = marks();
    await ask(`send('s.hard_late', ${JSON.stringify(file)}, task_id='hl1')`);
    await until('its second run', async () => (await stored('hl1'))['result'] === 'survived');
    expect(read(file)).toEqual(['run redelivered=false', 'run redelivered=true']);
  });

  test('what a task sends are its children, in states of every kind, unless its trail is off', async () => {
    const [ids, children, grandchild] = (await ask(`
result = send('s.parent')
ids = result.get(timeout=10)
out([ids, [c.id for c in result.children], result.children[0].get(timeout=10)])`)) as [string[], string[], unknown];
    expect(children).toEqual(ids.slice(1));
    expect(grandchild).toEqual([ids[0], ids[0], 3]);
    await ask(`call('s.parent_untrailed', task_id='p1'); call('s.parent_fails', task_id='p2')`);
    expect(await stored('p1')).toMatchObject({ status: 'SUCCESS', children: [] });
    expect(await stored('p2')).toMatchObject({ status: 'FAILURE', children: [[[expect.any(String), null], null]] });
  });

  test.each<[name: string, state: string, answer: unknown]>([
    ['nothing', 'SUCCESS', null],
    ['function', 'FAILURE', ['EncodeError', [expect.stringContaining('a function')]]],
    ['symbol', 'FAILURE', ['EncodeError', [expect.stringContaining('symbol')]]],
    ['cycle', 'FAILURE', ['EncodeError', [expect.stringContaining('contains itself')]]],
    ['stream', 'FAILURE', ['EncodeError', [expect.any(String)]]],
    ['promise_inside', 'FAILURE', ['EncodeError', [expect.stringContaining('is an await missing?')]]],
    ['throwing_getter', 'FAILURE', ['EncodeError', [expect.stringContaining('no')]]],
    ['map', 'SUCCESS', { a: 1 }],
    ['throw_nothing', 'FAILURE', ['Error', []]],
    ['throw_text', 'FAILURE', ['Error', ['text']]],
    ['throw_proxy', 'FAILURE', ['Error', []]],
    ['thenable_twice', 'SUCCESS', 'once'],
    ['thenable_throws', 'FAILURE', ['Error', ['no then']]],
  ])('a handler of kind "%s" ends in %s', async (name, state, answer) => {
    expect(await ask(`out(call('bad.${name}'))`)).toEqual([state, answer]);
  });

  test('a big integer is one in Python; 100 MB of text arrive', async () => {
    expect(await ask(`out([call('bad.bigint')[1] == 2**70, len(answer(send('bad.large'), timeout=60)[1])])`)).toEqual([
      true,
      100_000_000,
    ]);
  });

  test('a result that nobody stores may be anything', async () => {
    await ask(`send('bad.ignored_cycle', task_id='c1', ignore_result=True)`);
    await until('its end', () => worker.output().includes('Task bad.ignored_cycle[c1] succeeded'));
  });

  test('a handler that changes its arguments fails alone, and cannot send them on', async () => {
    const [failed, [state, [excType]]] = (await ask(`
out([call('bad.changes_arguments', [], {}), call('bad.changes_and_retries', [])])`)) as [unknown, [string, string[]]];
    expect(failed).toEqual(['FAILURE', ['Error', ['done changing']]]);
    expect([state, excType]).toEqual(['FAILURE', 'EncodeError']);
  });

  test('errors that tasks leave behind are logged with the task, and the worker stays', async () => {
    const before = worker.pid;
    expect(
      await ask(`
out([call('bad.floating_rejection', task_id='l1'), call('bad.late_throw', task_id='l2'), call('bad.error_event', task_id='l3')])`),
    ).toEqual(Array.from({ length: 3 }, () => ['SUCCESS', 'fine']));
    for (const what of [
      /Unhandled rejection left behind by task bad\.floating_rejection\[l1\]/,
      /Uncaught exception left behind by task bad\.late_throw\[l2\]/,
      /Uncaught exception left behind by task bad\.error_event\[l3\]/,
    ]) {
      await until(String(what), () => what.test(worker.output()));
    }
    expect(await ask(`out(call('s.add', 1, 2))`)).toEqual(['SUCCESS', 3]);
    expect([worker.pid, worker.child.exitCode]).toEqual([before, null]);
  });
});

test('worker_disable_rate_limits lets everything through', async () => {
  const worker = await start({ worker_disable_rate_limits: true });
  expect(await ask(`out([answer(r)[1] for r in [send('s.rated_rarely', n) for n in range(3)]])`)).toEqual([0, 1, 2]);
  expect(await worker.stop()).toBe(0);
});

test('a limit for all tasks comes from task_default_rate_limit; what waits goes back on a warm stop', async () => {
  const worker = await start({ task_default_rate_limit: '1/h' });
  await ask(`
first = call('s.add', 1, 1)
rest = [send('s.add', n, 1, task_id=f't{n}') for n in range(3)]`);
  await until('three held', async () => (await held()) === 3);
  expect(await worker.stop()).toBe(0);
  expect(await held()).toBe(0);
  const ids = ((await redis.command('LRANGE', 'celery', '0', '-1')) as string[]).map(
    (raw) => (JSON.parse(raw) as { headers: { id: string } }).headers.id,
  );
  expect(ids.toReversed()).toEqual(['t0', 't1', 't2']);
});

test('a task of which a SUCCESS is stored is not run again, if worker_deduplicate_successful_tasks says so', async () => {
  const [file] = [marks()];
  let worker = await start();
  expect(await ask(`out(call('s.store_then_reject', task_id='a1')); time.sleep(0.3)`)).toEqual([
    'SUCCESS',
    'first time',
  ]);
  expect(worker.output()).toMatch(/Task s\.store_then_reject\[a1\] succeeded in .*: 'second time'/);
  expect(await worker.stop()).toBe(0);

  worker = await start({ worker_deduplicate_successful_tasks: true });
  expect(await ask(`out(call('s.store_then_reject', task_id='b1')); time.sleep(0.3)`)).toEqual([
    'SUCCESS',
    'first time',
  ]);
  await until('the line', () => worker.output().includes('[b1] Task already completed successfully.'));
  expect(worker.output()).not.toMatch(/\[b1\] succeeded/);
  expect(await held()).toBe(0);
  // One that did not succeed is run again.
  expect(await ask(`out(call('s.reject_once'))`)).toEqual(['SUCCESS', 'second time']);
  expect(await worker.stop()).toBe(0);
  expect(read(file)).toEqual([]);
});

test('extended results tell name, arguments, worker, retries and queue, also of failures and retries', async () => {
  const worker = await start({ result_extended: true });
  const metas = (await ask(`
states = []
result = send('s.retry', {'countdown': 0.3}, task_id='x1')
result.get(timeout=10, on_message=lambda body: states.append(body))
call('bad.changes_arguments', [1], {'a': 1}, task_id='x2')
out(states)`)) as Record<string, unknown>[];
  for (const [i, status] of ['RETRY', 'SUCCESS'].entries()) {
    expect(metas[i]).toMatchObject({
      status,
      name: 's.retry',
      args: [{ countdown: 0.3 }],
      kwargs: {},
      worker: expect.stringMatching(/^node@/),
      retries: i,
      queue: 'celery',
    });
  }
  // Arguments that are no data any more are told by their repr.
  expect(await stored('x2')).toMatchObject({
    status: 'FAILURE',
    name: 'bad.changes_arguments',
    args: expect.any(String),
  });
  expect(await worker.stop()).toBe(0);
});

describe('naive times', () => {
  test('of protocol 2 are UTC, of protocol 1 in the zone of the worker where the message says so', async () => {
    const worker = await start({ timezone: 'Asia/Tokyo', enable_utc: false });
    // Tokyo is 9 hours ahead: a naive "in an hour, by the clock of Tokyo" is 8 hours ago, were it UTC's.
    const program = `
import datetime, base64, uuid
now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
second, tokyo = datetime.timedelta(seconds=1), datetime.timedelta(hours=9)
def proto1(id, eta, utc):
    body = {'task': 's.add', 'id': id, 'args': [1, 1], 'kwargs': {}, 'retries': 0, 'eta': eta, 'expires': None, 'utc': utc,
            'callbacks': None, 'errbacks': None, 'timelimit': [None, None], 'taskset': None, 'chord': None}
    with app.connection_for_write() as c:
        c.default_channel.queue_declare = lambda *a, **k: None
        from kombu import Producer
        Producer(c).publish(body, exchange='', routing_key='celery', serializer='json', correlation_id=id, reply_to='', headers={})
start = time.time()
proto1('naive-local', (now + tokyo + 2 * second).isoformat(), False)
proto1('naive-utc', (now + second).isoformat(), True)
done = {}
for id in ('naive-utc', 'naive-local'):
    app.AsyncResult(id).get(timeout=20)
    done[id] = time.time() - start
out(done)`;
    const done = (await ask(program)) as Record<string, number>;
    expect(done['naive-utc']).toBeGreaterThan(0.9);
    expect(done['naive-local']).toBeGreaterThan(1.9);
    expect(done['naive-local']).toBeLessThan(8);
    expect(await worker.stop()).toBe(0);
  });
});

describe('stopping', () => {
  test('warm, then cold: no longer waits; what acknowledges late goes back, what runs is told', async () => {
    const worker = await start({}, ['-c', '2', '--prefetch-multiplier', '2']);
    const file = marks();
    await ask(`
send('s.until_aborted', ${JSON.stringify(file)}, task_id='u1')
send('s.sleep', 60, task_id='early')
for n in range(8): send('s.mark', ${JSON.stringify(file)}, 'waits', task_id=f'w{n}')`);
    await until('both to run', () => read(file).length === 1 && worker.output().includes('s.sleep[early] received'));
    worker.child.kill('SIGTERM');
    await until('warm', () => worker.output().includes('Warm shutdown'));
    await until('only what runs to be held', async () => (await held()) === 1);
    expect(worker.child.exitCode).toBeNull();
    const began = Date.now();
    worker.child.kill('SIGQUIT');
    await until('its end', () => worker.child.exitCode !== null);
    expect(Date.now() - began).toBeLessThan(5000);
    expect(read(file)).toEqual(['started', 'WorkerShutdownError']);
    expect(await held()).toBe(0);
    const ids = ((await redis.command('LRANGE', 'celery', '0', '-1')) as string[]).map(
      (raw) => (JSON.parse(raw) as { headers: { id: string } }).headers.id,
    );
    expect(ids.toReversed()).toEqual(['u1', ...Array.from({ length: 8 }, (_, n) => `w${n}`)]);
    expect(await stored('u1')).toEqual({});
  });

  test('soft: what runs gets worker_soft_shutdown_timeout, then it ends as a cold one, also after a warm one', async () => {
    const worker = await start({ worker_soft_shutdown_timeout: 1.5 });
    const file = marks();
    await ask(`
send('s.until_aborted', ${JSON.stringify(file)}, task_id='long')
send('s.sleep', 1, task_id='short')`);
    await until('the long one to run', () => read(file).length === 1);
    worker.child.kill('SIGTERM');
    await until('the stop', () => worker.output().includes('Warm shutdown'));
    const began = Date.now();
    worker.child.kill('SIGQUIT');
    await until('its end', () => worker.child.exitCode !== null);
    expect(Date.now() - began).toBeGreaterThan(1400);
    expect(Date.now() - began).toBeLessThan(6000);
    expect(await stored('short')).toMatchObject({ status: 'SUCCESS' });
    expect(read(file)).toEqual(['started', 'WorkerShutdownError']);
    expect([await held(), await redis.command('LLEN', 'celery')]).toEqual([0, 1]);
  });
});

test('task_inherit_parent_priority gives what a task sends its priority, unless it has one', async () => {
  const worker = await start({ task_inherit_parent_priority: true });
  const priorities = await ask(`
result = send('s.parent', priority=6)
result.get(timeout=10)
out([child.get(timeout=10)[2] for child in result.children])`);
  expect(priorities).toEqual([3, 6]);
  expect(await worker.stop()).toBe(0);
});
