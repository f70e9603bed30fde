/** What each outcome stores, and how it ends the hold of its message: the table at the head of settle.ts. */
import { describe, expect, test } from '@jest/globals';
import { DisabledBackend, type Backend } from '../../../src/backend/backend.ts';
import { BackendError, BrokerConnectionError, ConfigError, EncodeError, RedisReplyError } from '../../../src/errors.ts';
import { encodeMeta, type ResultRecord } from '../../../src/protocol/result-meta.ts';
import type { Outcome } from '../../../src/tasks/outcome.ts';
import { LimitedSet } from '../../../src/util/limited-set.ts';
import { Settlement } from '../../../src/worker/settle.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';
import { makeRequest } from './requests.ts';

const identity = { excType: 'ValueError', excModule: 'builtins', excArgs: ['x'] };
const failure: Outcome = {
  kind: 'failure',
  exception: identity,
  traceback: 'tb',
  isExpected: false,
  runtimeSeconds: 1,
};
const success = (value: unknown): Outcome => ({ kind: 'success', value, runtimeSeconds: 1 });
const retry: Outcome = {
  kind: 'retry',
  plan: { retries: 1, countdownSeconds: 5, eta: null, args: null, kwargs: null, options: {} },
  cause: identity,
  message: 'Retry in 5s',
  traceback: 'tb',
  runtimeSeconds: 1,
};
const lost: Outcome = { kind: 'lost', pid: 62, exitCode: 9, signal: null };
const timeout: Outcome = { kind: 'timeout', limitSeconds: 3 };
const rejected = (requeue: boolean): Outcome => ({ kind: 'rejected', reason: 'no', requeue, runtimeSeconds: 1 });
const ignored: Outcome = { kind: 'ignored', runtimeSeconds: 1 };

interface Settled {
  /** What happened to task and message, in order: the states stored, `send`, `ack`, `requeue`. */
  readonly steps: string[];
  readonly records: ResultRecord[];
  readonly lines: string[];
  readonly successful: LimitedSet;
}

async function settle(
  outcome: Outcome,
  given: {
    options?: object;
    settings?: Record<string, unknown>;
    store?: (record: ResultRecord) => void;
    sendRetry?: () => Promise<void>;
    body?: { args: unknown[] };
  } = {},
): Promise<Settled> {
  const steps: string[] = [];
  const records: ResultRecord[] = [];
  const lines: string[] = [];
  const { request } = makeRequest({ options: given.options ?? {}, settings: given.settings ?? {}, ends: steps });
  if (given.body !== undefined) request.body.args.push(...given.body.args);
  const backend = Object.assign(new DisabledBackend(), {
    store: async (record: ResultRecord) => {
      encodeMeta(record);
      given.store?.(record);
      steps.push(record.state);
      records.push(record);
    },
  }) as Backend;
  const successful = new LimitedSet(10, 60, () => 0);
  const settlement = new Settlement({
    backend,
    logger: keepingLogger(lines),
    hostname: 'node@h',
    hidesArguments: false,
    successful,
    finish: async () => null,
    sendRetry: async () => {
      await given.sendRetry?.();
      steps.push('send');
    },
  });
  await settlement.settle(request, outcome);
  return { steps, records, lines, successful };
}

const late = { acksLate: true };
const lateNoAck = { acksLate: true, acksOnFailureOrTimeout: false };

test.each<[what: string, outcome: Outcome, options: object, steps: string[]]>([
  ['success, early', success(1), {}, ['SUCCESS']],
  ['success, late', success(1), late, ['SUCCESS', 'ack']],
  ['success, ignored, late', success(1), { ...late, ignoreResult: true }, ['ack']],
  ['failure, early', failure, {}, ['FAILURE']],
  ['failure, late', failure, late, ['FAILURE', 'ack']],
  ['failure, late, not acknowledged: dropped', failure, lateNoAck, ['FAILURE', 'ack']],
  ['failure, ignored', failure, { ignoreResult: true }, []],
  ['failure, ignored, errors stored', failure, { ignoreResult: true, storeErrorsEvenIfIgnored: true }, ['FAILURE']],
  ['retry, early', retry, {}, ['send', 'RETRY']],
  ['retry, late', retry, late, ['send', 'RETRY', 'ack']],
  ['ignored, late', ignored, late, ['ack']],
  ['rejected, early', rejected(true), {}, []],
  ['rejected, late', rejected(false), late, ['ack']],
  ['rejected to be put back, late', rejected(true), late, ['requeue']],
  ['timeout, early', timeout, {}, ['FAILURE']],
  ['timeout, late', timeout, late, ['FAILURE', 'ack']],
  ['timeout, late, not acknowledged', timeout, lateNoAck, ['FAILURE', 'requeue']],
  ['lost, early', lost, { rejectOnWorkerLost: true }, ['FAILURE']],
  ['lost, late', lost, late, ['FAILURE', 'ack']],
  ['lost, late, rejectOnWorkerLost', lost, { ...late, rejectOnWorkerLost: true }, ['requeue']],
])('%s', async (_what, outcome, options, steps) => {
  expect((await settle(outcome, { options })).steps).toEqual(steps);
});

test.each<[settings: Record<string, unknown>, failed: string, timedOut: string]>([
  [{ task_acks_on_failure_or_timeout: false }, 'ack', 'requeue'],
  [{ task_acks_on_failure_or_timeout: false, task_acks_on_timeout: true }, 'ack', 'ack'],
  [{ task_acks_on_timeout: false }, 'ack', 'requeue'],
])('the settings %j tell failures and timeouts apart', async (settings, failed, timedOut) => {
  const all = { task_acks_late: true, ...settings };
  expect((await settle(failure, { settings: all })).steps.at(-1)).toBe(failed);
  expect((await settle(timeout, { settings: all })).steps.at(-1)).toBe(timedOut);
});

describe('what is stored', () => {
  test('of a lost process is WorkerLostError in Celery’s words', async () => {
    const { records } = await settle(lost);
    expect(records[0]?.result).toEqual({
      exc_type: 'WorkerLostError',
      exc_message: ['Worker exited prematurely: exitcode 9 Job: 62.'],
      exc_module: 'billiard.exceptions',
    });
  });

  test('of a retry are its cause, and what it sent with itself last', async () => {
    const { records } = await settle({ ...retry, children: [[['c', null], null]] });
    expect(records[0]).toMatchObject({
      result: { exc_type: 'ValueError' },
      children: [
        [['c', null], null],
        [['id-1', null], null],
      ],
    });
  });
});

describe('a result that cannot be stored', () => {
  test.each<[string, unknown]>([
    ['a function', () => 1],
    ['a cycle', [0].map((_item, _i, list) => list)],
    ['a promise', Promise.resolve(1)],
  ])('%s fails the task with EncodeError, and says so once', async (_what, value) => {
    if (Array.isArray(value)) value.push(value);
    const { steps, records, lines } = await settle(success(value), { options: late });
    expect(steps).toEqual(['FAILURE', 'ack']);
    expect(records[0]?.result).toMatchObject({ exc_type: 'EncodeError', exc_module: 'kombu.exceptions' });
    expect(lines).toEqual([expect.stringMatching(/^ERROR Task t\.t\[id-1\] raised unexpected: EncodeError/)]);
  });

  test('because Redis refuses it for good fails the task with BackendError', async () => {
    const { records } = await settle(success(1), {
      store: ({ state }) => {
        if (state === 'SUCCESS') throw new BackendError('result of 600 MB: too large');
      },
    });
    expect(records[0]?.result).toMatchObject({
      exc_type: 'BackendError',
      exc_message: ['result of 600 MB: too large'],
    });
  });

  test('nor its failure: the message is given up, loudly', async () => {
    const { steps, lines } = await settle(success(1), {
      options: late,
      store: () => {
        throw new BackendError('NOPERM');
      },
    });
    expect(steps).toEqual(['ack']);
    expect(lines[0]).toMatch(/^CRITICAL Task t\.t\[id-1\] INTERNAL ERROR: BackendError\('NOPERM'\)/);
  });
});

describe('a retry that cannot be sent', () => {
  const refuse = (error: Error) => () => Promise.reject(error);

  test.each([new EncodeError('a function'), new ConfigError('no such queue')])(
    'for good (%s) fails the task',
    async (error) => {
      const { steps, records } = await settle(retry, { options: late, sendRetry: refuse(error) });
      expect(steps).toEqual(['FAILURE', 'ack']);
      expect(records[0]?.result).toMatchObject({ exc_type: error.name });
    },
  );

  test('for now is put back with its message, where that acknowledges late', async () => {
    const error = new BrokerConnectionError('away');
    const { steps, lines } = await settle(retry, { options: late, sendRetry: refuse(error) });
    expect(steps).toEqual(['requeue']);
    expect(lines).toEqual([expect.stringMatching(/was put back: its retry could not be sent: BrokerConnectionError/)]);
  });

  test('and cannot be put back either fails the task', async () => {
    const error = new RedisReplyError('WRONGTYPE', 'WRONGTYPE ...');
    expect((await settle(retry, { sendRetry: refuse(error) })).steps).toEqual(['FAILURE']);
  });
});

test('extended results of a failure tell arguments that are no data by their repr', async () => {
  const { records } = await settle(failure, {
    settings: { result_extended: true },
    body: { args: [1, (): number => 1] },
  });
  expect(records[0]?.extended).toMatchObject({ name: 't.t', args: expect.stringMatching(/^\[1, <function/) });
});

test('ids of successes are remembered only where they are not to run again', async () => {
  const settings = { worker_deduplicate_successful_tasks: true };
  expect((await settle(success(1), { settings, options: late })).successful.has('id-1')).toBe(true);
  expect((await settle(success(1), { settings })).successful.size).toBe(0);
  expect((await settle(success(1), { options: late })).successful.size).toBe(0);
  expect((await settle(failure, { settings, options: late })).successful.size).toBe(0);
});
