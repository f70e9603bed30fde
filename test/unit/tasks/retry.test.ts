import { describe, expect, test } from '@jest/globals';
import { PythonError } from '../../../src/protocol/exceptions.ts';
import type { TaskContext } from '../../../src/tasks/context.ts';
import { type RetryOutcome, type RunOutcome } from '../../../src/tasks/outcome.ts';
import { Ignore, Reject } from '../../../src/tasks/predicates.ts';
import { backoffSeconds } from '../../../src/tasks/retry.ts';
import { runTask } from '../../../src/tasks/trace.ts';
import { bench } from './runtime.ts';

class Flaky extends Error {}
class VeryFlaky extends Flaky {}

const throws = (thrown: unknown) => () => {
  throw thrown;
};

async function run(handler: (...args: never[]) => unknown, options: object, retries = 0): Promise<RunOutcome> {
  const { definition, context } = bench(handler, options, { retries });
  return runTask(definition, context, [], {});
}

const countdownOf = (outcome: RunOutcome): number | null => (outcome as RetryOutcome).plan.countdownSeconds;

describe('an error that autoretryFor lists', () => {
  test('is a retry with the error as its cause, after defaultRetryDelay', async () => {
    expect(await run(throws(new Flaky('x')), { autoretryFor: [Flaky] })).toMatchObject({
      kind: 'retry',
      cause: { excType: 'Flaky', excArgs: ['x'] },
      message: "Retry in 180s: Flaky('x')",
      plan: { retries: 1, countdownSeconds: 180, args: null, kwargs: null, options: {} },
    });
  });

  test('may be of a subclass, or named as Python names it', async () => {
    expect(await run(throws(new VeryFlaky('x')), { autoretryFor: [Flaky] })).toMatchObject({ kind: 'retry' });
    expect(await run(throws(new PythonError('KeyError')), { autoretryFor: ['KeyError'] })).toMatchObject({
      kind: 'retry',
    });
    expect(await run(throws('text'), { autoretryFor: [Error] })).toMatchObject({ kind: 'failure' });
  });

  test('fails the task when no retry is left, as itself', async () => {
    const options = { autoretryFor: [Flaky], maxRetries: 2, throws: [Flaky] };
    expect(await run(throws(new Flaky('x')), options, 1)).toMatchObject({ kind: 'retry', plan: { retries: 2 } });
    expect(await run(throws(new Flaky('x')), options, 2)).toMatchObject({
      kind: 'failure',
      exception: { excType: 'Flaky' },
      isExpected: true,
    });
    expect(await run(throws(new Flaky('x')), { ...options, maxRetries: null }, 1e6)).toMatchObject({ kind: 'retry' });
  });

  test('comes from wrong arguments too, and from an abort', async () => {
    expect(await run((x: number) => x, { autoretryFor: [TypeError] })).toMatchObject({ kind: 'retry' });
    const { definition, context, controller } = bench(
      () => {
        controller.abort(new Flaky('the reason'));
        throw new DOMException('This operation was aborted', 'AbortError');
      },
      { autoretryFor: [Flaky] },
    );
    expect(await runTask(definition, context, [], {})).toMatchObject({ kind: 'retry', cause: { excType: 'Flaky' } });
  });

  test('keeps to the maxRetries that the handler gave to its own retry()', async () => {
    const handler = (task: TaskContext) => task.retry({ exc: new Flaky('x'), maxRetries: 1 });
    const options = { bind: true, autoretryFor: [Flaky], maxRetries: 5 };
    expect(await run(handler, options, 0)).toMatchObject({ kind: 'retry' });
    expect(await run(handler, options, 1)).toMatchObject({ kind: 'failure' });
  });
});

test.each<[what: string, thrown: unknown, kind: string]>([
  ['another error', new RangeError('x'), 'failure'],
  ['one that dontAutoretryFor lists', new VeryFlaky('x'), 'failure'],
  ['Ignore', new Ignore(), 'ignored'],
  ['Reject', new Reject('x'), 'rejected'],
])('%s is no automatic retry', async (_what, thrown, kind) => {
  const autoretryFor = kind === 'failure' ? [Flaky] : [Error];
  const outcome = await run(throws(thrown), { autoretryFor, dontAutoretryFor: [VeryFlaky] });
  expect(outcome.kind).toBe(kind);
});

describe('the delay of automatic retries', () => {
  test.each([
    [{ retryBackoff: true, retryJitter: false }, 0, 1],
    [{ retryBackoff: true, retryJitter: false }, 5, 32],
    [{ retryBackoff: 3, retryJitter: false }, 2, 12],
    [{ retryBackoff: 0.5, retryJitter: false }, 3, 8],
    [{ retryBackoff: true, retryJitter: false }, 5000, 600],
    [{ retryBackoff: true, retryJitter: false, retryBackoffMax: 10.9 }, 5000, 10],
    [{ retryBackoff: false, defaultRetryDelay: 7 }, 5, 7],
    [{ retryBackoff: 0, defaultRetryDelay: 7 }, 5, 7],
  ])('of %j at retry %i is %i s', async (options, retries, seconds) => {
    const all = { autoretryFor: [Flaky], maxRetries: null, ...options };
    expect(countdownOf(await run(throws(new Flaky('x')), all, retries))).toBe(seconds);
  });

  test('with jitter is any whole number up to that, 0 and itself included', () => {
    const backoff = { factor: 1, maximum: 600, jitter: true };
    expect(backoffSeconds(backoff, 2, () => 0)).toBe(0);
    expect(backoffSeconds(backoff, 2, () => 0.999_999)).toBe(4);
    const seen = new Set(Array.from({ length: 500 }, () => backoffSeconds(backoff, 2)));
    expect([...seen].toSorted()).toEqual([0, 1, 2, 3, 4]);
  });
});

test('throwIfAborted throws the reason, once there is one', async () => {
  const { context, controller } = bench(() => 1);
  expect(() => context.throwIfAborted()).not.toThrow();
  controller.abort(new Flaky('stop'));
  expect(() => context.throwIfAborted()).toThrow(Flaky);
});
