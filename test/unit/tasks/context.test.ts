import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { IllegalStateError, MaxRetriesExceededError } from '../../../src/errors.ts';
import { currentTask, findCurrentTask, runAsCurrent, type RetryOptions } from '../../../src/tasks/context.ts';
import { Retry } from '../../../src/tasks/predicates.ts';
import { type TaskRequest } from '../../../src/tasks/request.ts';
import { bench } from './runtime.ts';

const context = (request: Partial<TaskRequest> = {}, options: object = {}) => bench(() => 0, options, request).context;

/** What retry() threw. */
const thrownBy = (options: RetryOptions, request?: Partial<TaskRequest>, taskOptions?: object): unknown => {
  const task = context(request, taskOptions);
  try {
    return { returned: task.retry(options) };
  } catch (error) {
    return error;
  }
};

describe('retry', () => {
  test('throws by itself, so that a forgotten throw does no harm', () => {
    expect(thrownBy({})).toBeInstanceOf(Retry);
  });

  test('returns with throw: false', () => {
    expect(context().retry({ throw: false })).toBeInstanceOf(Retry);
  });

  test('plans the next attempt after the default delay of the task', () => {
    expect(context({ retries: 1 }, { defaultRetryDelay: 7 }).retry({ throw: false }).plan).toEqual({
      retries: 2,
      countdownSeconds: 7,
      eta: null,
      args: null,
      kwargs: null,
      options: {},
    });
  });

  test('carries new arguments and options of the message', () => {
    const { plan } = context().retry({
      throw: false,
      countdown: 0,
      args: [1],
      kwargs: { a: 2 },
      queue: 'slow',
      priority: 9,
    });
    expect(plan).toEqual({
      retries: 1,
      countdownSeconds: 0,
      eta: null,
      args: [1],
      kwargs: { a: 2 },
      options: { queue: 'slow', priority: 9 },
    });
  });

  test('goes by the eta where one is given', () => {
    const { plan, message } = context().retry({ throw: false, eta: new Date(0), countdown: 5 });
    expect(plan).toMatchObject({ countdownSeconds: null, eta: '1970-01-01T00:00:00.000Z' });
    expect(message).toBe('Retry at 1970-01-01T00:00:00.000Z');
    expect(context().retry({ throw: false, eta: '2030-01-01T00:00:00' }).plan.eta).toBe('2030-01-01T00:00:00');
  });

  // Printed by Celery 5.6.3: str(Retry(exc=..., when=5)).
  test.each<[exc: unknown, text: string]>([
    [undefined, 'Retry in 5s'],
    [new TypeError('x'), "Retry in 5s: TypeError('x')"],
    ['why', "Retry in 5s: 'why'"],
  ])('says when and why: %p', (exc, text) => {
    expect(context().retry({ throw: false, countdown: 5, exc }).message).toBe(text);
  });

  test('throws the error it was given once no retry is left', () => {
    const exc = new Error('down');
    expect(thrownBy({ exc }, { retries: 2 })).toBeInstanceOf(Retry);
    expect(thrownBy({ exc }, { retries: 3 })).toBe(exc);
  });

  test("throws MaxRetriesExceededError in Celery's words where it was given none", () => {
    const request = { retries: 3, args: [1, 'a', null, true, 1.5, [1], { a: "it's\n" }], kwargs: { k: [1, 2] } };
    const error = thrownBy({}, request);
    expect(error).toBeInstanceOf(MaxRetriesExceededError);
    expect((error as Error).message).toBe(
      `Can't retry tasks.t[id-1] args:(1, 'a', None, True, 1.5, [1], {'a': "it's\\n"}) kwargs:{'k': [1, 2]}`,
    );
    expect(thrownBy({ args: [], kwargs: {} }, request)).toMatchObject({
      message: "Can't retry tasks.t[id-1] args:() kwargs:{}",
    });
  });

  test.each<[call: number | null | undefined, task: number | null, retries: number, left: boolean]>([
    [undefined, null, 1000, true],
    [null, 1, 1, false],
    [0, 5, 0, false],
    [5, 1, 4, true],
    [undefined, 0, 0, false],
  ])('counts against maxRetries %p of the call, %p of the task, after %p: %p', (call, task, retries, left) => {
    const options = call === undefined ? {} : { maxRetries: call };
    expect(thrownBy(options, { retries }, { maxRetries: task })).toBeInstanceOf(left ? Retry : MaxRetriesExceededError);
  });

  test('throws the error at once when the handler was called directly', () => {
    const exc = new Error('down');
    expect(thrownBy({ exc, throw: false }, { calledDirectly: true, retries: 9 })).toBe(exc);
    expect(thrownBy({ throw: false }, { calledDirectly: true, retries: 9 })).toBeInstanceOf(Retry);
  });

  test.each<RetryOptions>([
    { countdown: Number.NaN },
    { countdown: '5' as never },
    { eta: new Date(Number.NaN) },
    { eta: 5 as never },
    { eta: '' },
  ])('refuses %p', (options) => {
    expect(thrownBy(options)).toBeInstanceOf(TypeError);
  });
});

describe('a running task', () => {
  test('stores states of its own', async () => {
    const { context: task, runtime } = bench(() => 0);
    await task.updateState({ state: 'HALF', meta: { done: 1 } });
    await task.updateState({ state: 'HALF', taskId: 'other' });
    expect(runtime.states).toEqual([
      ['id-1', 'id-1', 'HALF', { done: 1 }],
      ['id-1', 'other', 'HALF', null],
    ]);
    await expect(task.updateState({ state: '' })).rejects.toThrow(TypeError);
  });

  test('tells its progress in whole percent under both names, extras beside it', async () => {
    const { context: task, runtime } = bench(() => 0);
    await task.progress(2, 3, 'two thirds', { phase: 'copy', current: 'never' });
    await task.progress(0, 0);
    expect(runtime.states).toEqual([
      [
        'id-1',
        'id-1',
        'PROGRESS',
        { phase: 'copy', current: 2, total: 3, percentage: 66, progress_percentage: 66, message: 'two thirds' },
      ],
      ['id-1', 'id-1', 'PROGRESS', { current: 0, total: 0, percentage: 0, progress_percentage: 0, message: '' }],
    ]);
  });

  test('sends events under its own id', async () => {
    const { context: task, runtime } = bench(() => 0);
    await task.sendEvent('task-imported', { rows: 5 });
    expect(runtime.events).toEqual([['task-imported', { uuid: 'id-1', rows: 5 }]]);
  });

  test('logs with its id, name and correlation id', () => {
    const { context: task, runtime } = bench(() => 0, {}, { correlationId: 'c-1' });
    task.logger.info('working', { row: 5 });
    expect(runtime.lines).toEqual([
      { level: 'info', message: 'working', task_id: 'id-1', task_name: 'tasks.t', correlation_id: 'c-1', row: 5 },
    ]);
    expect(task.logger).toBe(task.logger);
  });

  test('sees the abort of its controller', () => {
    const { context: task, controller } = bench(() => 0);
    expect(task.signal.aborted).toBe(false);
    const reason = new Error('soft limit');
    controller.abort(reason);
    expect(task.signal.reason).toBe(reason);
    expect(task.app).toBe('the app');
    expect(task.name).toBe('tasks.t');
  });
});

describe('currentTask', () => {
  test('gives each of several tasks at once its own context, across awaits', async () => {
    const tasks = [context({ id: 'a' }), context({ id: 'b' })];
    const seen = await Promise.all(
      tasks.map(async (task) =>
        runAsCurrent(task, async () => {
          await setImmediate();
          return currentTask();
        }),
      ),
    );
    expect(seen[0]).toBe(tasks[0]);
    expect(seen[1]).toBe(tasks[1]);
  });

  test('throws outside of a task', () => {
    expect(findCurrentTask()).toBeUndefined();
    expect(() => currentTask()).toThrow(IllegalStateError);
  });
});
