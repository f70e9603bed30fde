import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { TaskRevokedError } from '../../../src/errors.ts';
import { currentTask, type TaskContext } from '../../../src/tasks/context.ts';
import { type RunOutcome } from '../../../src/tasks/outcome.ts';
import { Ignore, Reject } from '../../../src/tasks/predicates.ts';
import { runTask } from '../../../src/tasks/trace.ts';
import { bench, type Bench } from './runtime.ts';

const run = async (
  handler: (...args: never[]) => unknown,
  options: object = {},
  args: unknown[] = [],
  kwargs: Record<string, unknown> = {},
): Promise<RunOutcome> => runBench(bench(handler, options), args, kwargs);

const runBench = async ({ definition, context }: Bench, args: unknown[] = [], kwargs = {}): Promise<RunOutcome> => {
  const outcome = await runTask(definition, context, args, kwargs);
  // Whatever came of it must cross the border of a process.
  expect(structuredClone(outcome)).toEqual(outcome);
  return outcome;
};

const throws = (value: unknown) => () => {
  throw value;
};

describe('a handler that returns', () => {
  test.each<[what: string, handler: () => unknown, value: unknown]>([
    ['a value', () => 5, 5],
    ['a promise', async () => 5, 5],
    ['nothing', () => undefined, null],
    ['a promise of nothing', async () => undefined, null],
    ['null', () => null, null],
    ['a big integer', () => 2n ** 70n, 2n ** 70n],
    ['a thenable, such as a query builder', () => ({ then: (done: (value: number) => void) => done(5) }), 5],
  ])('%s succeeds', async (_what, handler, value) => {
    expect(await run(handler)).toMatchObject({ kind: 'success', value });
  });

  test('tells its runtime in seconds', async () => {
    const outcome = await run(async () => sleep(50));
    expect(outcome).toMatchObject({ kind: 'success', runtimeSeconds: expect.any(Number) });
    const { runtimeSeconds } = outcome as { runtimeSeconds: number };
    expect(runtimeSeconds).toBeGreaterThan(0.045);
    expect(runtimeSeconds).toBeLessThan(5);
  });

  test('is the current task below its handler, also after an await', async () => {
    const below = async (): Promise<string> => {
      await sleep(1);
      return currentTask().request.id;
    };
    expect(await run(async () => below())).toMatchObject({ value: 'id-1' });
  });

  test('gets its context and its arguments bound', async () => {
    const handler = (task: TaskContext, x: number, y = 2) => [task.name, x, y];
    expect(await run(handler, { bind: true }, [], { x: 1 })).toMatchObject({ value: ['tasks.t', 1, 2] });
  });
});

describe('a handler that throws', () => {
  test.each<[what: string, thrown: unknown, excType: string, excModule: string, excArgs: unknown[]]>([
    ['a TypeError', new TypeError('no'), 'TypeError', 'builtins', ['no']],
    ['an error of its own class', new (class NotFound extends Error {})('x'), 'NotFound', 'celeriac.errors', ['x']],
    ['a string', 'no', 'Error', 'celeriac.errors', ['no']],
    ['a number', 5, 'Error', 'celeriac.errors', [5]],
    ['a big integer', 5n, 'Error', 'celeriac.errors', ['5']],
    ['a symbol', Symbol('s'), 'Error', 'celeriac.errors', ['<Symbol(s)>']],
    ['undefined', undefined, 'Error', 'celeriac.errors', []],
    ['null', null, 'Error', 'celeriac.errors', [null]],
    ['a function', throws, 'Error', 'celeriac.errors', ['<function throws>']],
    ['a plain object', { a: [1] }, 'Error', 'celeriac.errors', [{ a: [1] }]],
    [
      'an error with arguments',
      Object.assign(new Error('x'), { excArgs: ['x', new Date(0), new RangeError('r'), () => 0, { deep: [1n] }, NaN] }),
      'Error',
      'celeriac.errors',
      [
        'x',
        'datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)',
        "RangeError('r')",
        '<function <lambda>>',
        "{'deep': [1]}",
        'nan',
      ],
    ],
  ])('%s fails under its name', async (_what, thrown, excType, excModule, excArgs) => {
    for (const handler of [throws(thrown), async () => throws(thrown)()]) {
      expect(await run(handler)).toMatchObject({
        kind: 'failure',
        exception: { excType, excModule, excArgs },
        isExpected: false,
      });
    }
  });

  test('something that cannot be looked at fails all the same', async () => {
    const evil = new Proxy(
      {},
      {
        get: () => {
          throw new Error('look away');
        },
        getPrototypeOf: () => {
          throw new Error('look away');
        },
      },
    );
    expect(await run(throws(evil))).toMatchObject({ kind: 'failure' });
  });

  test('a cycle in its arguments fails with its repr', async () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(await run(throws(Object.assign(new Error('x'), { excArgs: [cycle] })))).toMatchObject({
      exception: { excArgs: ['[[...]]'] },
    });
  });

  test('a stack overflow fails as RangeError', async () => {
    const deep = (): number => deep() + 1;
    expect(await run(deep)).toMatchObject({ kind: 'failure', exception: { excType: 'RangeError' } });
  });

  test('tells the stacks of the error and its causes', async () => {
    const outcome = await run(throws(new Error('outer', { cause: new TypeError('inner') })));
    expect((outcome as { traceback: string }).traceback).toMatch(
      /^Error: outer\n {4}at [^]*\n\nCaused by: TypeError: inner\n {4}at /u,
    );
    expect(await run(throws('text'))).toMatchObject({ traceback: null });
    const own = new Error('own');
    own.cause = own;
    expect((await run(throws(own))) as { traceback: string }).toMatchObject({ kind: 'failure' });
  });

  test.each<[kinds: unknown[], isExpected: boolean]>([
    [[RangeError, TypeError], true],
    [[Error], true],
    [['TypeError'], true],
    [[RangeError, 'KeyError'], false],
  ])('is expected when %p lists it', async (kinds, isExpected) => {
    expect(await run(throws(new TypeError('x')), { throws: kinds })).toMatchObject({ isExpected });
  });
});

describe('arguments that do not fit', () => {
  test('fail the task as TypeError, in the words of Python', async () => {
    const add = (x: number, y: number) => x + y;
    expect(await run(add, {}, [5], { wrong_arg: 5 })).toMatchObject({
      kind: 'failure',
      exception: {
        excType: 'TypeError',
        excModule: 'builtins',
        excArgs: ["add() got an unexpected keyword argument 'wrong_arg'"],
      },
    });
  });

  test.each([z.object({ x: z.number() }), z.object({ x: z.number().refine(async (x) => x > 0) })])(
    'fail the task as ValidationError before its handler runs',
    async (args) => {
      let ran = 0;
      const handler = () => (ran += 1);
      expect(await run(handler, { args }, ['x'])).toMatchObject({
        kind: 'failure',
        exception: { excType: 'ValidationError', excModule: 'celeriac.errors' },
      });
      expect(ran).toBe(0);
      expect(await run(handler, { args }, [1])).toMatchObject({ kind: 'success', value: 1 });
    },
  );
});

describe('control flow', () => {
  test('retry gives its plan and its cause', async () => {
    const handler = async (task: TaskContext) => {
      throw task.retry({ countdown: 5, exc: new TypeError('x') });
    };
    expect(await run(handler, { bind: true })).toMatchObject({
      kind: 'retry',
      plan: { retries: 1, countdownSeconds: 5 },
      cause: { excType: 'TypeError', excModule: 'builtins', excArgs: ['x'] },
      message: "Retry in 5s: TypeError('x')",
      traceback: expect.stringMatching(/Caused by: TypeError: x/u),
    });
    expect(await run((task: TaskContext) => task.retry(), { bind: true })).toMatchObject({
      kind: 'retry',
      plan: { countdownSeconds: 180 },
      cause: null,
    });
  });

  test('Ignore and Reject give what they say', async () => {
    expect(await run(throws(new Ignore()))).toMatchObject({ kind: 'ignored' });
    expect(await run(throws(new Reject()))).toMatchObject({ kind: 'rejected', requeue: false, reason: null });
    expect(await run(throws(new Reject(new Error('busy'), { requeue: true })))).toMatchObject({
      kind: 'rejected',
      requeue: true,
      reason: 'Error: busy',
    });
  });

  test('is known by its code when it comes from another copy of the package', async () => {
    const foreign = Object.assign(new Error('reject'), { code: 'CELERIAC_REJECT', requeue: true, reason: 5 });
    expect(await run(throws(foreign))).toMatchObject({ kind: 'rejected', requeue: true, reason: '5' });
  });
});

describe('a run that is aborted', () => {
  const waits = async (task: TaskContext) => sleep(10_000, null, { signal: task.signal });

  test('fails with the reason, also where Node made an AbortError of it', async () => {
    const bed = bench(waits, { bind: true });
    const outcome = runBench(bed);
    bed.controller.abort(Object.assign(new Error('soft'), { excType: 'SoftTimeLimitExceeded', excArgs: [] }));
    expect(await outcome).toMatchObject({
      kind: 'failure',
      exception: { excType: 'SoftTimeLimitExceeded', excArgs: [] },
    });
  });

  test('succeeds when the handler takes it well', async () => {
    const bed = bench(async (task: TaskContext) => waits(task).catch(() => 0), { bind: true });
    const outcome = runBench(bed);
    bed.controller.abort(new Error('soft'));
    expect(await outcome).toMatchObject({ kind: 'success', value: 0 });
  });

  test('is revoked whatever the handler throws, a retry above all', async () => {
    const handler = async (task: TaskContext) =>
      waits(task).catch((exc: unknown) => {
        throw task.retry({ exc });
      });
    const bed = bench(handler, { bind: true });
    const outcome = runBench(bed);
    bed.controller.abort(new TaskRevokedError('terminated'));
    expect(await outcome).toEqual({ kind: 'revoked', reason: 'terminated', signum: null });
  });

  test('keeps an error that is its own', async () => {
    const bed = bench(throws(new TypeError('own')));
    bed.controller.abort(new Error('soft'));
    expect(await runBench(bed)).toMatchObject({ kind: 'failure', exception: { excType: 'TypeError' } });
  });
});
