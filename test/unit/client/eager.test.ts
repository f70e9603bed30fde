/** Eager mode, as Celery 5.6.3 was seen to run it; no Redis is there to answer. */
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { Celeriac, EagerResult, EncodeError, Ignore, Reject, Retry, type TaskContext } from '../../../src/index.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';

const nowhere = 'redis://127.0.0.1:1/0';
const eagerApp = (settings: object = {}): Celeriac =>
  new Celeriac('eager', { brokerUrl: nowhere, taskAlwaysEager: true, ...settings });

const throws = (error: unknown) => (): never => {
  throw error;
};
const error = new TypeError('no');

describe('task.apply', () => {
  test.each<[what: string, handler: () => unknown, state: string, info: unknown]>([
    ['a value', () => 5, 'SUCCESS', 5],
    ['nothing', () => undefined, 'SUCCESS', null],
    ['a failure', throws(error), 'FAILURE', error],
    ['Ignore', throws(new Ignore()), 'IGNORED', expect.any(Ignore)],
    ['Reject', throws(new Reject('r')), 'REJECTED', expect.any(Reject)],
  ])('gives a result that has %s', async (_what, handler, state, info) => {
    const result = await eagerApp().task('t', handler).apply();
    expect(result).toBeInstanceOf(EagerResult);
    expect([await result.state(), await result.info(), await result.ready()]).toEqual([state, info, true]);
  });

  test('throws from get() what the task threw, the same error', async () => {
    const result = await eagerApp().task('t', throws(error)).apply();
    await expect(result.get()).rejects.toBe(error);
    expect(await result.get({ propagate: false })).toBe(error);
    expect(await result.traceback()).toContain('TypeError: no');
    expect((await result.meta()).result).toEqual({
      exc_type: 'TypeError',
      exc_message: ['no'],
      exc_module: 'builtins',
    });
  });

  test('runs without settings for it; what a task is told: eager, its ids, its parent', async () => {
    const app = new Celeriac('lazy', { brokerUrl: nowhere });
    const child = app.task('child', { bind: true }, (task) => task.request);
    const parent = app.task('parent', { bind: true }, async (task) => [
      task.request,
      await (await child.apply()).get(),
    ]);
    const [own, childs] = (await (await parent.apply({ taskId: 'p' })).get()) as [
      TaskContext['request'],
      TaskContext['request'],
    ];
    expect(own).toMatchObject({ id: 'p', rootId: 'p', parentId: null, isEager: true, calledDirectly: false });
    expect(childs).toMatchObject({ rootId: 'p', parentId: 'p', isEager: true });
  });

  test('retries at once, under the same id, with the arguments of the retry, until none is left', async () => {
    const app = eagerApp();
    const seen: unknown[] = [];
    const flaky = app.task('flaky', { bind: true }, (task: TaskContext, x: number) => {
      seen.push([task.request.id, task.request.retries, x]);
      if (task.request.retries < 2) throw task.retry({ exc: error, countdown: 3600, args: [x + 1] });
      return 'done';
    });
    expect(await (await flaky.apply({ args: [1], taskId: 'i' })).get()).toBe('done');
    expect(seen).toEqual([
      ['i', 0, 1],
      ['i', 1, 2],
      ['i', 2, 3],
    ]);
    const hopeless = app.task('hopeless', { bind: true, maxRetries: 1000 }, (task) => task.retry({ exc: error }));
    expect(await (await hopeless.apply()).info()).toBe(error);
  });

  test.each<[setting: object, options: object]>([
    [{}, { throw: true }],
    [{ taskEagerPropagates: true }, {}],
  ])('throws failures and retries under %j %j, before any hook', async (settings, options) => {
    const app = eagerApp(settings);
    const calls: string[] = [];
    const hooks = { onFailure: () => calls.push('onFailure'), onRetry: () => calls.push('onRetry') };
    await expect(app.task('t', hooks, throws(error)).apply(options)).rejects.toBe(error);
    const retrying = app.task('r', { ...hooks, bind: true }, (task) => task.retry({ countdown: 1 }));
    await expect(retrying.apply(options)).rejects.toBeInstanceOf(Retry);
    expect(calls).toEqual([]);
  });

  test('calls the hooks; one that throws fails the call', async () => {
    const app = eagerApp();
    const calls: unknown[] = [];
    const hooks = {
      beforeStart: () => calls.push('beforeStart'),
      onSuccess: (_task: TaskContext, value: unknown) => calls.push(['onSuccess', value]),
      afterReturn: (_task: TaskContext, state: string) => calls.push(['afterReturn', state]),
    };
    await app.task('t', hooks, () => 1).apply();
    expect(calls).toEqual(['beforeStart', ['onSuccess', 1], ['afterReturn', 'SUCCESS']]);
    await expect(app.task('u', { onSuccess: throws(error) }, () => 1).apply()).rejects.toBe(error);
  });
});

describe('task_always_eager', () => {
  test('runs delay and applyAsync in place, on arguments as a message would bring them', async () => {
    const app = eagerApp();
    const given = { when: new Date(0), list: [1, 2] };
    const look = app.task('look', (value: unknown) => value !== given && value);
    expect(await (await look.delay(given)).get()).toEqual({ when: expect.anything(), list: [1, 2] });
    await expect(look.delay(() => 1)).rejects.toThrow(EncodeError);
    const add = app.task('add', (x: number, y: number) => x + y);
    expect(await (await add.applyAsync({ args: [1], kwargs: { y: 2 }, countdown: 3600 })).get()).toBe(3);
    // @ts-expect-error -- the call is checked as for a message
    await expect(add.delay(1)).rejects.toThrow("add() missing 1 required positional argument: 'y'");
  });

  test('gives the one object of a schema task as keywords', async () => {
    const app = eagerApp();
    const options = { bind: true, args: z.object({ x: z.number(), y: z.number().default(5) }) } as const;
    const task = app.task('schema', options, (self, { x, y }) => [self.request.args, self.request.kwargs, x + y]);
    expect(await (await task.delay({ x: 1 })).get()).toEqual([[], { x: 1 }, 6]);
  });

  test('has no effect on sendTask, which says so', async () => {
    const app = eagerApp({ brokerTransportOptions: { socket_connect_timeout: 0.1 } });
    const lines: string[] = [];
    app.configure({ logger: keepingLogger(lines) });
    const sending = app.sendTask('t', { serializer: 'none such' });
    await expect(sending).rejects.toThrow();
    expect(lines).toContain('WARNING task_always_eager has no effect on sendTask: t goes to a worker');
    await app.close();
  });

  test('keeps checkpoints and states in the process', async () => {
    const app = eagerApp();
    const task = app.task('t', { bind: true }, async (self) => {
      if (self.request.retries === 0) {
        await self.progress(1, 2);
        await self.checkpoint.save({ at: 1 });
        throw self.retry({ countdown: 0 });
      }
      return self.checkpoint.load();
    });
    expect(await (await task.delay()).get()).toEqual({ at: 1 });
  });
});
