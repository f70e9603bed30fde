import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Celeriac } from '../../../src/client/app.ts';
import type { Signal, SignalPayload } from '../../../src/signals/signal.ts';
import { signals } from '../../../src/signals/signals.ts';
import { currentTask, type TaskContext } from '../../../src/tasks/context.ts';
import { hasEnd, runEndHooks, type Ending } from '../../../src/tasks/hooks.ts';
import { Ignore } from '../../../src/tasks/predicates.ts';
import { runTask } from '../../../src/tasks/trace.ts';
import { bench, type Bench } from '../tasks/runtime.ts';

type Name = 'taskPrerun' | 'taskPostrun' | 'taskSuccess' | 'taskFailure' | 'taskRetry' | 'taskInternalError';

let calls: [name: string, ...details: unknown[]][];
let off: (() => boolean)[];

function note(name: Name, details: (payload: Record<string, unknown>) => unknown[]): void {
  // Each signal has a payload type of its own; here all are looked at alike.
  const signal = signals[name] as unknown as Signal<SignalPayload & Record<string, unknown>>;
  off.push(signal.connect((payload) => calls.push([name, ...details(payload)])));
}

beforeEach(() => {
  calls = [];
  off = [];
});
afterEach(() => {
  for (const disconnect of off) disconnect();
});

function listenToAll(): void {
  note('taskPrerun', ({ sender, taskId, args }) => [sender, taskId, args, currentTask().request.id]);
  note('taskSuccess', ({ result }) => [result]);
  note('taskFailure', ({ exception, traceback }) => [exception, typeof traceback]);
  note('taskRetry', ({ reason }) => [(reason as { exc: unknown }).exc]);
  note('taskInternalError', ({ exception }) => [exception]);
  note('taskPostrun', ({ state, retval, task }) => [state, retval, (task as TaskContext).name, currentTask().name]);
}

/** What a worker does: run, store, tell the end, and at last that all is over. */
async function runWhole({ definition, context }: Bench, args: unknown[] = []): Promise<void> {
  const outcome = await runTask(definition, context, args, {});
  if (outcome.kind === 'success' || outcome.kind === 'failure' || outcome.kind === 'retry') {
    const ending: Ending =
      outcome.kind === 'success' ? { kind: 'success', value: outcome.value } : { kind: outcome.kind };
    if ((await runEndHooks(definition, context, ending)) !== null) {
      await runEndHooks(definition, context, { kind: 'hook-failure' });
    }
  }
  await runEndHooks(definition, context, { kind: 'over', state: outcome.kind.toUpperCase() });
}

const error = new TypeError('no');
const over = (state: string, retval: unknown): unknown[] => ['taskPostrun', state, retval, 'tasks.t', 'tasks.t'];
const start = ['taskPrerun', 'tasks.t', 'id-1', [], 'id-1'];

describe('the signals of a run', () => {
  test.each<[what: string, handler: (task: TaskContext) => unknown, expected: unknown[]]>([
    ['a success', () => 5, [start, ['taskSuccess', 5], over('SUCCESS', 5)]],
    ['an asynchronous success', async () => 5, [start, ['taskSuccess', 5], over('SUCCESS', 5)]],
    ['a failure', () => raise(error), [start, ['taskFailure', error, 'string'], over('FAILURE', error)]],
    ['no error', () => raise('no'), [start, ['taskFailure', 'no', 'object'], over('FAILURE', 'no')]],
    [
      'a retry',
      (task) => task.retry({ exc: error, countdown: 0 }),
      [start, ['taskRetry', error], over('RETRY', expect.objectContaining({ exc: error }))],
    ],
    ['ignore', () => raise(new Ignore()), [start, over('IGNORED', expect.any(Ignore))]],
  ])('%s', async (_, handler, expected) => {
    listenToAll();
    await runWhole(bench(handler, { bind: true }));
    expect(calls).toEqual(expected);
  });

  test('an automatic retry is told as one, with its cause', async () => {
    listenToAll();
    await runWhole(bench(() => raise(error), { autoretryFor: [TypeError] }));
    expect(calls.map(([name]) => name)).toEqual(['taskPrerun', 'taskRetry', 'taskPostrun']);
    expect(calls[1]?.[1]).toBe(error);
  });

  test('stand between the hooks as in Celery: each behind its hook, postrun after all', async () => {
    listenToAll();
    const hook = (name: string) => () => void calls.push([name]);
    const hooks = {
      beforeStart: hook('beforeStart'),
      onSuccess: hook('onSuccess'),
      onFailure: hook('onFailure'),
      afterReturn: hook('afterReturn'),
    };
    await runWhole(bench(() => 1, hooks));
    await runWhole(bench(() => raise(error), hooks));
    expect(calls.map(([name]) => name)).toEqual([
      ...['taskPrerun', 'beforeStart', 'onSuccess', 'taskSuccess', 'afterReturn', 'taskPostrun'],
      ...['taskPrerun', 'beforeStart', 'onFailure', 'taskFailure', 'afterReturn', 'taskPostrun'],
    ]);
  });

  test('a hook that throws is an internal error, and then a failure', async () => {
    listenToAll();
    await runWhole(bench(() => 1, { onSuccess: () => raise(error) }));
    expect(calls.slice(1)).toEqual([
      ['taskInternalError', error],
      ['taskFailure', error, 'string'],
      over('SUCCESS', 1),
    ]);
  });

  test('the handler waits for an asynchronous prerun', async () => {
    off.push(
      signals.taskPrerun.connect(async () => {
        await new Promise((resolve) => setImmediate(resolve));
        calls.push(['prerun done']);
      }),
    );
    await runWhole(bench(() => calls.push(['handler'])));
    expect(calls).toEqual([['prerun done'], ['handler']]);
  });

  test('a receiver that throws is logged with the task, and the run is none the wiser', async () => {
    off.push(signals.taskPrerun.connect(() => raise(error)));
    const failing = bench(() => 5);
    expect(await runTask(failing.definition, failing.context, [], {})).toMatchObject({ kind: 'success', value: 5 });
    expect(failing.runtime.lines).toEqual([
      expect.objectContaining({
        level: 'error',
        message: 'A receiver of the signal taskPrerun failed: TypeError: no',
        task_id: 'id-1',
      }),
    ]);
  });

  test('a receiver may listen to one task only', async () => {
    off.push(signals.taskSuccess.connect(() => calls.push(['t']), { sender: { name: 'tasks.t' } }));
    off.push(signals.taskSuccess.connect(() => calls.push(['other']), { sender: 'tasks.other' }));
    await runWhole(bench(() => 5));
    expect(calls).toEqual([['t']]);
  });
});

test('without receivers there is nobody to tell: no end is waited for, no logger made', async () => {
  const silent = bench(() => 5);
  expect(hasEnd(silent.definition)).toBe(false);
  let asked = 0;
  silent.runtime.loggerWith = () => raise(new Error(`logger ${(asked += 1)}`));
  await runTask(silent.definition, silent.context, [], {});
  expect(asked).toBe(0);
  off.push(signals.taskPostrun.connect(() => undefined));
  expect(hasEnd(silent.definition)).toBe(true);
});

test('an eager run sends the same signals', async () => {
  listenToAll();
  const app = new Celeriac('eager', { brokerUrl: 'redis://localhost:1', taskAlwaysEager: true });
  await app.task('tasks.t', (x: number) => x + 1).applyAsync({ args: [1], taskId: 'id-1' });
  expect(calls).toEqual([['taskPrerun', 'tasks.t', 'id-1', [1], 'id-1'], ['taskSuccess', 2], over('SUCCESS', 2)]);
});

function raise(thrown: unknown): never {
  throw thrown;
}
