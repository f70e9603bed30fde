import { beforeEach, describe, expect, test } from '@jest/globals';
import { ResultWriter, type ResultWriterOptions, type Write } from '../../../src/backend/result-writer.ts';
import { BackendError, BrokerConnectionError, RedisReplyError } from '../../../src/errors.ts';
import { FakeRedis } from './fake-redis.ts';
import { recordingLogger, type LogLine } from './recording-logger.ts';

let redis: FakeRedis;
let lines: LogLine[];

function writer(options: Partial<ResultWriterOptions> = {}): ResultWriter {
  return new ResultWriter({
    redis,
    logger: recordingLogger(lines),
    retry: { maxRetries: Infinity, pauseMs: () => 1, patienceMs: Infinity },
    isSuccess: (stored) => (JSON.parse(stored.toString()) as { status: string }).status === 'SUCCESS',
    ...options,
  });
}

function write(id: string, state: string, text = ''): Write {
  return {
    key: id,
    value: Buffer.from(`{"status": "${state}", "result": "${text}"}`),
    expiresSeconds: 60,
    isReady: ['SUCCESS', 'FAILURE', 'REVOKED'].includes(state),
    isSuccess: state === 'SUCCESS',
    taskId: id,
    state,
  };
}

const stored = (id: string): string => redis.values.get(id)?.toString() ?? 'nothing';
const lost = (): Error => new BrokerConnectionError('connection lost');
const oom = (): Error => new RedisReplyError('OOM', 'OOM command not allowed');

beforeEach(() => {
  redis = new FakeRedis();
  lines = [];
});

describe('batches', () => {
  test('writes of one turn travel in one call, in order, and each promise settles', async () => {
    const results = writer();
    await Promise.all([
      results.write(write('a', 'STARTED')),
      results.write(write('b', 'FAILURE')),
      results.write(write('a', 'SUCCESS')),
    ]);
    expect(redis.calls).toEqual([['a', 'b', 'a']]);
    expect(stored('a')).toContain('SUCCESS');
    expect(results.pending).toBe(0);
  });

  test('what is asked for during a call gathers for the next one', async () => {
    let open = (): void => {};
    redis.gate = new Promise((resolve) => (open = resolve));
    const results = writer();
    const first = results.write(write('a', 'FAILURE'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const later = ['b', 'c', 'd'].map((id) => results.write(write(id, 'FAILURE')));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(results.pending).toBe(4);
    redis.gate = null;
    open();
    await Promise.all([first, ...later]);
    expect(redis.calls).toEqual([['a'], ['b', 'c', 'd']]);
  });

  test('a batch ends at its count and before its bytes; a record over the limit goes alone', async () => {
    const results = writer({ maxRecords: 2, maxBytes: 200 });
    const big = 'x'.repeat(500);
    await Promise.all(
      [write('a', 'FAILURE'), write('b', 'FAILURE'), write('c', 'FAILURE'), write('d', 'FAILURE', big)].map((one) =>
        results.write(one),
      ),
    );
    expect(redis.calls).toEqual([['a', 'b'], ['c'], ['d']]);
  });

  test('a record larger than Redis takes is refused without being sent', async () => {
    const value = { length: 512 * 1024 * 1024 + 1 } as Buffer;
    await expect(writer().write({ ...write('a', 'SUCCESS'), value })).rejects.toThrow(/result of task a .*bytes/);
    expect(redis.calls).toEqual([]);
  });
});

describe('while Redis is away', () => {
  test('writes wait, go out in their old order when it is back, and the outage is told once at each end', async () => {
    redis.faults.push(lost(), lost(), lost());
    const results = writer();
    await Promise.all([results.write(write('a', 'FAILURE', '1')), results.write(write('a', 'REVOKED', '2'))]);
    expect(redis.calls).toEqual([
      ['a', 'a'],
      ['a', 'a'],
      ['a', 'a'],
      ['a', 'a'],
    ]);
    expect(stored('a')).toContain('REVOKED');
    await results.close();
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info']);
  });

  test('a write begun later never overtakes one that is tried again', async () => {
    redis.faults.push(lost());
    const results = writer({ maxRecords: 1 });
    const started = results.write(write('a', 'FAILURE'));
    const done = results.write(write('a', 'REVOKED'));
    await Promise.all([started, done]);
    expect(redis.published.map((text) => /FAILURE|REVOKED/.exec(text)?.[0])).toEqual(['FAILURE', 'REVOKED']);
  });

  test('a call that the port keeps and sends itself is an outage all the same', async () => {
    let open = (): void => {};
    redis.gate = new Promise((resolve) => (open = resolve));
    const results = writer();
    const all = [results.write(write('a', 'SUCCESS'))];
    await new Promise((resolve) => setTimeout(resolve, 5));
    redis.isReady = false;
    redis.emit('lost');
    for (let i = 0; i < 100; i += 1) all.push(results.write(write('b', 'PROGRESS', String(i))));
    expect(results.pending).toBe(2);
    redis.isReady = true;
    redis.gate = null;
    open();
    await Promise.all(all);
    await results.close();
    expect(redis.calls).toEqual([['a'], ['b']]);
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info']);
  });

  test('a long pause ends when the connection is ready again', async () => {
    redis.faults.push(lost());
    const results = writer({ retry: { maxRetries: Infinity, pauseMs: () => 60_000, patienceMs: Infinity } });
    const done = results.write(write('a', 'SUCCESS'));
    while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    redis.emit('ready');
    await done;
    expect(stored('a')).toContain('SUCCESS');
  });

  test('a waiting progress gives way to the next one of its task, a ready state never does', async () => {
    redis.faults.push(lost());
    const results = writer({ retry: { maxRetries: Infinity, pauseMs: () => 60_000, patienceMs: Infinity } });
    const first = results.write(write('a', 'PROGRESS', '1'));
    while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const all = [first];
    for (let i = 2; i < 500; i += 1) all.push(results.write(write('a', 'PROGRESS', String(i))));
    expect(results.pending).toBe(1);
    all.push(results.write(write('a', 'FAILURE')), results.write(write('a', 'PROGRESS', 'late')));
    expect(results.pending).toBe(3);
    await new Promise((resolve) => setImmediate(resolve));
    redis.emit('ready');
    await Promise.all(all);
    expect(redis.published.map((text) => (JSON.parse(text) as { result: string }).result)).toEqual(['499', '', 'late']);
  });

  test('beyond the waiting bytes states that are not ready are refused, ready ones are kept', async () => {
    redis.faults.push(lost());
    const results = writer({
      retry: { maxRetries: Infinity, pauseMs: () => 60_000, patienceMs: Infinity },
      maxWaitingBytes: 100,
    });
    const first = results.write(write('a', 'SUCCESS', 'x'.repeat(100)));
    while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await expect(results.write(write('b', 'PROGRESS'))).rejects.toThrow(/wait for Redis already/);
    const kept = results.write(write('b', 'SUCCESS'));
    await new Promise((resolve) => setImmediate(resolve));
    redis.emit('ready');
    await Promise.all([first, kept]);
    await results.write(write('c', 'PROGRESS'));
  });

  test('with a limit of tries the promise rejects in the end, and the writer goes on', async () => {
    redis.faults.push(lost(), lost(), lost());
    const results = writer({ retry: { maxRetries: 2, pauseMs: () => 0, patienceMs: Infinity } });
    await expect(results.write(write('a', 'SUCCESS'))).rejects.toMatchObject({
      code: 'CELERIAC_BACKEND',
      message: expect.stringContaining('gave up after 3 tries: connection lost') as unknown,
    });
    await results.write(write('b', 'SUCCESS'));
    expect(results.pending).toBe(0);
  });
});

test('a connection that stays away for longer than the policy waits fails what is pending, and later writes in turn', async () => {
  let open = (): void => {};
  redis.gate = new Promise((resolve) => (open = resolve));
  const results = writer({ retry: { maxRetries: 3, pauseMs: () => 1, patienceMs: 20 } });
  const inFlight = results.write(write('a', 'SUCCESS'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  redis.emit('lost');
  const settled = await Promise.allSettled([inFlight, results.write(write('b', 'SUCCESS'))]);
  expect(settled.map((one) => (one.status === 'rejected' ? String(one.reason) : one.status))).toEqual([
    expect.stringContaining('no connection for 0.02 s'),
    expect.stringContaining('no connection for 0.02 s'),
  ]);
  await expect(results.write(write('c', 'SUCCESS'))).rejects.toThrow(/no connection/);
  redis.emit('ready');
  redis.gate = null;
  open();
  await results.write(write('d', 'SUCCESS'));
  expect(results.pending).toBe(0);
  expect([...redis.values.keys()]).toEqual(['a', 'd']);
});

describe('when Redis refuses', () => {
  test.each(['OOM', 'READONLY', 'LOADING', 'MISCONF', 'NOREPLICAS', 'BUSY'])(
    '%s heals: the record is sent again',
    async (word) => {
      redis.faults.push(new RedisReplyError(word, `${word} not now`), () => ['refused', `${word} not now`]);
      const results = writer();
      await results.write(write('a', 'SUCCESS'));
      expect(redis.calls).toHaveLength(3);
      await results.close();
      expect(lines.map(({ level }) => level)).toEqual(['error', 'info']);
    },
  );

  test('a record that is refused for good fails alone', async () => {
    redis.faults.push((key) => (key === 'b' ? ['refused', 'WRONGTYPE Operation against a key'] : null));
    const results = writer();
    const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map((id) => results.write(write(id, 'SUCCESS'))));
    expect([a?.status, b?.status, c?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((b as PromiseRejectedResult).reason).toBeInstanceOf(BackendError);
    expect(String((b as PromiseRejectedResult).reason)).toContain('result of task b (SUCCESS) not stored: WRONGTYPE');
    expect(redis.calls).toHaveLength(1);
  });

  test('a batch refused as a whole is sent record by record, so that only the guilty one fails', async () => {
    const denied = new RedisReplyError('NOPERM', 'NOPERM no permission for a key');
    redis.faults.push(denied, () => null, denied);
    const results = writer();
    const settled = await Promise.allSettled(['a', 'b', 'c'].map((id) => results.write(write(id, 'SUCCESS'))));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(redis.calls).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']]);
  });

  test('an outage in the middle of that keeps the rest, in order', async () => {
    redis.faults.push(new RedisReplyError('NOPERM', 'NOPERM'), () => null, oom());
    const results = writer();
    await Promise.all(['a', 'b', 'c', 'b'].map((id, i) => results.write(write(id, 'FAILURE', String(i)))));
    expect(redis.calls).toEqual([['a', 'b', 'c', 'b'], ['a'], ['b'], ['b', 'c', 'b']]);
    expect(stored('b')).toContain('"3"');
  });

  test('a refused state is not sent again over a later one that went through', async () => {
    redis.faults.push((_key, i) => (i === 0 ? ['refused', 'OOM command not allowed'] : null));
    const results = writer();
    await Promise.all([results.write(write('a', 'STARTED')), results.write(write('a', 'FAILURE'))]);
    expect(stored('a')).toContain('FAILURE');
    expect(redis.calls).toHaveLength(1);
  });

  test('a refusal to publish is told once and does not fail what is stored', async () => {
    redis.faults.push(
      () => ['unpublished', 'NOPERM channel'],
      () => ['unpublished', 'NOPERM channel'],
    );
    const results = writer();
    await results.write(write('a', 'SUCCESS'));
    await results.write(write('b', 'SUCCESS'));
    expect(lines).toMatchObject([{ level: 'error', message: expect.stringContaining('NOPERM channel') as unknown }]);
  });
});

describe('a stored value that the script can not judge', () => {
  test('is decoded here: a SUCCESS stays', async () => {
    redis.faults.push(() => ['unsure', '{"result": 1, "status": "SUCCESS"}']);
    const results = writer();
    await results.write(write('a', 'FAILURE'));
    expect(stored('a')).toBe('nothing');
    expect(redis.calls).toHaveLength(1);
  });

  test('gives way when it is none, and when nobody can read it, which is told', async () => {
    redis.faults.push((key) => ['unsure', key === 'a' ? '{"result": 1, "status": "FAILURE"}' : 'rubbish']);
    const results = writer();
    await Promise.all([results.write(write('a', 'SUCCESS')), results.write(write('b', 'SUCCESS'))]);
    expect(stored('a')).toContain('SUCCESS');
    expect(stored('b')).toContain('SUCCESS');
    expect(lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('task b') as unknown }]);
  });
});

describe('close', () => {
  test('writes what is pending, at once even in a pause, and takes nothing more', async () => {
    redis.faults.push(lost());
    const results = writer({ retry: { maxRetries: Infinity, pauseMs: () => 60_000, patienceMs: Infinity } });
    const done = results.write(write('a', 'SUCCESS'));
    while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await results.close();
    await done;
    expect(stored('a')).toContain('SUCCESS');
    expect(redis.listenerCount('ready')).toBe(0);
    await expect(results.write(write('b', 'SUCCESS'))).rejects.toThrow(/closed/);
    await results.close();
  });

  test('rejects and tells what could not be written in time', async () => {
    redis.gate = new Promise(() => {});
    const results = writer();
    const inFlight = results.write(write('a', 'SUCCESS'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const waiting = results.write(write('b', 'SUCCESS'));
    const settled = Promise.allSettled([inFlight, waiting]);
    await results.close(20);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(lines).toMatchObject([
      { level: 'error', fields: { results: ['result of task a (SUCCESS)', 'result of task b (SUCCESS)'] } },
    ]);
  });
});
