import { describe, expect, test } from '@jest/globals';
import { SoftTimeLimitExceeded, TimeLimitExceeded } from '../../../src/errors.ts';
import type { TaskContext } from '../../../src/tasks/context.ts';
import type { Outcome } from '../../../src/tasks/outcome.ts';
import { AsyncPool } from '../../../src/worker/pool/async.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';
import { recordingRuntime } from '../tasks/runtime.ts';
import { makeRequest, type Made } from './requests.ts';

function pool(): { pool: AsyncPool; clock: FakeClock; lines: string[]; states: readonly unknown[] } {
  const clock = new FakeClock();
  const lines: string[] = [];
  const runtime = recordingRuntime();
  const options = { name: 'async', concurrency: 1, runtime, logger: keepingLogger(lines), clock } as const;
  return { pool: new AsyncPool(options), clock, lines, states: runtime.states };
}

/** A handler that waits until it is told to go on. */
function held(then: (task: TaskContext) => unknown): {
  handler: (task: TaskContext) => Promise<unknown>;
  go: () => void;
} {
  let go!: () => void;
  const gate = new Promise<void>((resolve) => (go = resolve));
  return { handler: (task) => gate.then(() => then(task)), go: () => go() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function settled(run: Promise<Outcome>): Promise<Outcome | undefined> {
  let outcome: Outcome | undefined;
  void run.then((value) => (outcome = value));
  await turn();
  return outcome;
}

test('a task without limits has no timer', async () => {
  const { pool: subject, clock } = pool();
  const run = subject.run(makeRequest().request);
  expect(clock.pending).toBe(0);
  expect(await run).toMatchObject({ kind: 'success', value: 1 });
});

test('a task that ends in time leaves no timer behind', async () => {
  const { pool: subject, clock, lines } = pool();
  const run = subject.run(makeRequest({ options: { timeLimit: 2, softTimeLimit: 1 } }).request);
  expect(clock.pending).toBe(2);
  expect(await run).toMatchObject({ kind: 'success' });
  expect([clock.pending, lines]).toEqual([0, []]);
});

describe('the soft limit', () => {
  const limited = (then: (task: TaskContext) => unknown): { made: Made; go: () => void } => {
    const { handler, go } = held(then);
    return { made: makeRequest({ handler, options: { bind: true, softTimeLimit: 1.5 } }), go };
  };

  test('aborts the signal with its reason, and says so', async () => {
    const { pool: subject, clock, lines } = pool();
    const { made, go } = limited((task) => task.throwIfAborted());
    const run = subject.run(made.request);
    clock.advance(1499);
    expect(made.request.controller.signal.aborted).toBe(false);
    clock.advance(1);
    expect(made.request.controller.signal.reason).toBeInstanceOf(SoftTimeLimitExceeded);
    go();
    expect(await run).toMatchObject({
      kind: 'failure',
      exception: { excType: 'SoftTimeLimitExceeded', excModule: 'billiard.exceptions', excArgs: [] },
    });
    expect(lines).toEqual(['WARNING Soft time limit (1.5s) exceeded for t.t[id-1]']);
  });

  test('changes nothing for a handler that goes on and returns', async () => {
    const { pool: subject, clock } = pool();
    const { made, go } = limited(() => 'well');
    const run = subject.run(made.request);
    clock.advance(5000);
    go();
    expect(await run).toMatchObject({ kind: 'success', value: 'well' });
  });
});

describe('the hard limit', () => {
  test('ends the run at once; what the handler does then counts for nothing', async () => {
    const { pool: subject, clock, lines, states } = pool();
    const refused: unknown[] = [];
    const { handler, go } = held(async (task) => {
      await task.updateState({ state: 'LATE' }).catch((error: unknown) => refused.push(error));
      throw task.retry();
    });
    const { request } = makeRequest({ handler, options: { bind: true, timeLimit: 3 } });
    const run = subject.run(request);
    clock.advance(3000);
    expect(await settled(run)).toEqual({ kind: 'timeout', limitSeconds: 3 });
    expect(request.controller.signal.reason).toBeInstanceOf(TimeLimitExceeded);
    clock.advance(2500);
    go();
    await turn();
    expect(refused).toEqual([expect.any(TimeLimitExceeded)]);
    expect(states).toEqual([]);
    expect(lines).toEqual([
      'WARNING Task t.t[id-1] ran on for 2.500s after its hard time limit; its outcome (retry) is ignored',
    ]);
  });

  test('does not wait for a handler that never settles', async () => {
    const { pool: subject, clock } = pool();
    const { request } = makeRequest({ handler: () => new Promise(() => undefined), options: { timeLimit: 1 } });
    const run = subject.run(request);
    clock.advance(1000);
    expect(await settled(run)).toMatchObject({ kind: 'timeout' });
    expect(clock.pending).toBe(0);
  });

  test('below the soft one leaves no soft one to come', async () => {
    const { pool: subject, clock, lines } = pool();
    const { request } = makeRequest({
      handler: () => new Promise(() => undefined),
      options: { timeLimit: 1, softTimeLimit: 2 },
    });
    void subject.run(request);
    clock.advance(10_000);
    expect(lines).toEqual([]);
  });
});

test.each([
  ['the message', { timeLimit: 7 }, { timeLimit: 8 }, { task_time_limit: 9 }, 7],
  ['the task', {}, { timeLimit: 8 }, { task_time_limit: 9 }, 8],
  ['the setting', {}, {}, { task_time_limit: 9 }, 9],
  // Celery: `time_limit or task.time_limit`.
  ['the task, where the message says 0', { timeLimit: 0 }, { timeLimit: 8 }, {}, 8],
])('the limit of %s counts', async (_what, message, options, settings, seconds) => {
  const { pool: subject, clock } = pool();
  const handler = (): Promise<void> => new Promise(() => undefined);
  const run = subject.run(makeRequest({ handler, message, options, settings }).request);
  clock.advance(100_000);
  expect(await settled(run)).toEqual({ kind: 'timeout', limitSeconds: seconds });
});
