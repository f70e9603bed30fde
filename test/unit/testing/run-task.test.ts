import { describe, expect, test } from '@jest/globals';
import { Celeriac, defineResource, SoftTimeLimitExceeded, type TaskContext } from '../../../src/index.ts';
import { runTask } from '../../../src/testing/index.ts';

const app = new Celeriac('test', { brokerUrl: 'redis://127.0.0.1:1/0' });

describe('runTask of celeriac/testing', () => {
  test('runs a task on arguments by place or name, typed, and returns what came of it', async () => {
    const add = app.task('add', (x: number, y = 2) => x + y);
    const { result, outcome, error } = await runTask(add, { args: [1] });
    const sum: number | undefined = result;
    expect([sum, outcome.kind, error]).toEqual([3, 'success', undefined]);
    expect((await runTask(add, { kwargs: { y: 5, x: 1 } })).result).toBe(6);
    // @ts-expect-error -- an argument of the wrong type
    await runTask(add, { args: ['1'] });
    const missing = await runTask(add);
    expect(missing.outcome).toMatchObject({ kind: 'failure', exception: { excType: 'TypeError' } });
    expect(missing.error).toBeInstanceOf(TypeError);
    expect(missing.result).toBeUndefined();
  });

  test('writes down all that would have left the process, and sends nothing', async () => {
    const other = app.task('other', (x: number) => x);
    const busy = app.task('busy', { bind: true }, async (task) => {
      task.logger.info('begun', { n: 1 });
      await task.progress(1, 2, 'half');
      await task.updateState({ state: 'CUSTOM', meta: { a: 1 } });
      await task.sendEvent('task-imported', { rows: 5 });
      const child = await other.applyAsync({ args: [7], queue: 'q', countdown: 5 });
      await task.app.sendTask('python.task', { kwargs: { a: 1 } });
      await task.checkpoint.save({ at: 1 });
      return child.id;
    });
    const run = await runTask(busy, { request: { id: 'i' } });
    expect(run.states.map(({ state }) => state)).toEqual(['PROGRESS', 'CUSTOM']);
    expect(run.progress).toEqual([expect.objectContaining({ current: 1, total: 2, percentage: 50, message: 'half' })]);
    expect(run.sent).toEqual([
      { id: run.result, name: 'other', args: [7], kwargs: {}, options: { queue: 'q', countdown: 5 } },
      { id: expect.any(String), name: 'python.task', args: [], kwargs: { a: 1 }, options: {} },
    ]);
    expect(run.events).toEqual([{ type: 'task-imported', fields: { uuid: 'i', rows: 5 } }]);
    expect(run.logs).toEqual([
      { level: 'info', message: 'begun', fields: { task_id: 'i', task_name: 'busy', correlation_id: 'i', n: 1 } },
    ]);
    expect(run.checkpoint).toEqual({ at: 1 });
  });

  test('goes on from a checkpoint, tells a retry, gives what was thrown', async () => {
    const failure = new RangeError('no');
    const task = app.task('resumes', { bind: true }, async (self: TaskContext, fail: boolean) => {
      if (fail) throw self.retry({ exc: failure, countdown: 5 });
      return self.checkpoint.load();
    });
    expect((await runTask(task, { args: [false], checkpoint: { at: 3 } })).result).toEqual({ at: 3 });
    const run = await runTask(task, { args: [true], request: { retries: 1 } });
    expect(run.outcome).toMatchObject({ kind: 'retry', plan: { retries: 2, countdownSeconds: 5 } });
    expect(run.error).toMatchObject({ exc: failure });
  });

  test('calls hooks and ends resources; a result that is no data is a failure', async () => {
    const log: unknown[] = [];
    const database = defineResource({
      open: () => 'db',
      commit: () => log.push('commit'),
      rollback: () => log.push('rollback'),
    });
    const options = {
      bind: true,
      onSuccess: () => log.push('onSuccess'),
      onFailure: (_task: TaskContext, error: unknown) => log.push((error as Error).name),
    } as const;
    const task = app.task('hooked', options, async (self: TaskContext, value: unknown) => {
      await self.resource(database);
      return value;
    });
    await runTask(task, { args: [1] });
    expect(log.splice(0)).toEqual(['commit', 'onSuccess']);
    expect((await runTask(task, { args: [new Set()] })).outcome).toMatchObject({ kind: 'failure' });
    expect(log.splice(0)).toEqual(['rollback', 'EncodeError']);
    const plain = app.task('plain', () => Promise.resolve(new Set()));
    expect((await runTask(plain)).outcome).toMatchObject({ exception: { excType: 'EncodeError' } });
  });

  test('tells of a hook that failed', async () => {
    const task = app.task(
      'bad hook',
      {
        onSuccess: () => {
          throw new RangeError('bad');
        },
      },
      () => 1,
    );
    const { hookFailure, result } = await runTask(task);
    expect([result, hookFailure?.hook, hookFailure?.exception.excArgs]).toEqual([1, 'onSuccess', ['bad']]);
  });

  test('shows what a task does when it is to end', async () => {
    const controller = new AbortController();
    const task = app.task('patient', { bind: true }, async (self) => {
      controller.abort(new SoftTimeLimitExceeded());
      await new Promise((_resolve, reject) => setTimeout(() => reject(self.signal.reason as Error), 1));
    });
    expect((await runTask(task, { controller })).error).toBeInstanceOf(SoftTimeLimitExceeded);
  });
});
