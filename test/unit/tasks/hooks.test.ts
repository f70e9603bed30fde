import { describe, expect, test } from '@jest/globals';
import { currentTask, type TaskContext } from '../../../src/tasks/context.ts';
import { runEndHooks, type Ending } from '../../../src/tasks/hooks.ts';
import { Ignore, Reject } from '../../../src/tasks/predicates.ts';
import { runTask } from '../../../src/tasks/trace.ts';
import { bench } from './runtime.ts';

/** A task whose hooks leave a line each; those named in `bad` then throw. */
function hooked(handler: (...args: never[]) => unknown, bad: readonly string[] = [], options: object = {}) {
  const calls: unknown[] = [];
  const note = (name: string, isAsync = false) => {
    const call = (task: TaskContext, ...rest: unknown[]): unknown => {
      calls.push([name, ...rest]);
      expect(currentTask()).toBe(task);
      if (bad.includes(name)) throw new RangeError(`bad ${name}`);
      return undefined;
    };
    return isAsync ? async (task: TaskContext, ...rest: unknown[]) => call(task, ...rest) : call;
  };
  const hooks = {
    beforeStart: note('beforeStart', true),
    onSuccess: note('onSuccess'),
    onFailure: note('onFailure', true),
    onRetry: note('onRetry'),
    afterReturn: note('afterReturn'),
  };
  return { calls, ...bench(handler, { ...hooks, ...options }) };
}

type Hooked = ReturnType<typeof hooked>;

/** What a worker does: run, (store,) hooks; after a hook that threw (store the failure,) onFailure. */
async function runWhole({ definition, context }: Hooked): Promise<{ kind: string; failed: (string | undefined)[] }> {
  const outcome = await runTask(definition, context, [], {});
  const failed: (string | undefined)[] = [];
  if (outcome.kind === 'success' || outcome.kind === 'failure' || outcome.kind === 'retry') {
    const ending: Ending =
      outcome.kind === 'success' ? { kind: 'success', value: outcome.value } : { kind: outcome.kind };
    const failure = await runEndHooks(definition, context, ending);
    if (failure !== null) {
      failed.push(failure.hook);
      failed.push((await runEndHooks(definition, context, { kind: 'hook-failure' }))?.hook);
    }
  }
  return { kind: outcome.kind, failed };
}

const error = new TypeError('no');
const fails = (): never => {
  throw error;
};

describe('hooks are called in the order and with the values Celery 5.6.3 was seen to call them', () => {
  test.each<[what: string, handler: (task: TaskContext) => unknown, calls: unknown[]]>([
    ['a success', () => 1, [['beforeStart'], ['onSuccess', 1], ['afterReturn', 'SUCCESS', 1]]],
    ['a failure', fails, [['beforeStart'], ['onFailure', error], ['afterReturn', 'FAILURE', error]]],
    ['a retry', (task) => task.retry({ exc: error, countdown: 0 }), [['beforeStart'], ['onRetry', error]]],
    [
      'a retry without a cause',
      (task) => task.retry({ countdown: 0 }),
      [['beforeStart'], ['onRetry', expect.objectContaining({ code: 'CELERIAC_RETRY' })]],
    ],
    [
      'Ignore',
      () => {
        throw new Ignore();
      },
      [['beforeStart']],
    ],
    [
      'Reject',
      () => {
        throw new Reject('r');
      },
      [['beforeStart']],
    ],
  ])('%s', async (_what, handler, calls) => {
    const task = hooked(handler, [], { bind: true });
    expect((await runWhole(task)).failed).toEqual([]);
    expect(task.calls).toEqual(calls);
  });

  test.each<[bad: string[], handler: () => unknown, calls: string[], failed: (string | undefined)[]]>([
    [['beforeStart'], () => 1, ['beforeStart', 'onFailure', 'afterReturn'], []],
    [['onSuccess'], () => 1, ['beforeStart', 'onSuccess', 'onFailure'], ['onSuccess', undefined]],
    [['afterReturn'], () => 1, ['beforeStart', 'onSuccess', 'afterReturn', 'onFailure'], ['afterReturn', undefined]],
    [['onFailure'], fails, ['beforeStart', 'onFailure', 'onFailure'], ['onFailure', 'onFailure']],
    [['afterReturn'], fails, ['beforeStart', 'onFailure', 'afterReturn', 'onFailure'], ['afterReturn', undefined]],
    [['onSuccess', 'onFailure'], () => 1, ['beforeStart', 'onSuccess', 'onFailure'], ['onSuccess', 'onFailure']],
  ])('when %j throws', async (bad, handler, calls, failed) => {
    const task = hooked(handler, bad);
    expect((await runWhole(task)).failed).toEqual(failed);
    expect(task.calls.map((call) => (call as string[])[0])).toEqual(calls);
  });

  test('beforeStart comes before the arguments are bound, and may end the run as the handler would', async () => {
    const badArguments = hooked((x: number) => x);
    expect(await runTask(badArguments.definition, badArguments.context, [], {})).toMatchObject({
      kind: 'failure',
      exception: { excType: 'TypeError' },
    });
    expect(badArguments.calls).toEqual([['beforeStart']]);
    const ignoring = hooked(fails, [], {
      beforeStart: () => {
        throw new Ignore();
      },
    });
    expect(await runWhole(ignoring)).toEqual({ kind: 'ignored', failed: [] });
  });

  test('a failing hook is told as plain data', async () => {
    const { definition, context } = hooked(() => 1, ['onSuccess'], { throws: [RangeError] });
    await runTask(definition, context, [], {});
    const failure = await runEndHooks(definition, context, { kind: 'success', value: 1 });
    expect(structuredClone(failure)).toEqual({
      hook: 'onSuccess',
      exception: { excType: 'RangeError', excModule: 'celeriac.errors', excArgs: ['bad onSuccess'] },
      traceback: expect.stringContaining('bad onSuccess'),
      isExpected: true,
    });
  });

  test('a task without hooks has none to look for', () => {
    const { definition } = bench(() => 1);
    expect(definition.hasEndHooks).toBe(false);
    expect(definition.hooks.beforeStart).toBeUndefined();
    expect(bench(() => 1, { beforeStart: () => 0 }).definition.hasEndHooks).toBe(false);
  });
});
