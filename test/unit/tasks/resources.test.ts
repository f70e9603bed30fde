import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { TaskRevokedError, TimeLimitExceeded } from '../../../src/errors.ts';
import type { TaskContext } from '../../../src/tasks/context.ts';
import { Ignore } from '../../../src/tasks/predicates.ts';
import { defineResource, type Resource } from '../../../src/tasks/resources.ts';
import { callDirectly, runTask } from '../../../src/tasks/trace.ts';
import { bench } from './runtime.ts';

/** A resource that writes down what becomes of it; `bad` steps throw. */
function traced(log: string[], name = 'db', bad: readonly string[] = []): Resource<string> {
  const step = (what: string) => async (): Promise<void> => {
    await sleep(1);
    log.push(`${what} ${name}`);
    if (bad.includes(what)) throw new RangeError(`cannot ${what}`);
  };
  return defineResource({
    name,
    open: async () => {
      await step('open')();
      return name;
    },
    commit: step('commit'),
    rollback: async (_handle, error) => {
      log.push(`because ${(error as Error).message}`);
      await step('roll back')();
    },
    close: step('close'),
  });
}

const run = async (handler: (task: TaskContext) => unknown) => {
  const { definition, context, runtime } = bench(handler, { bind: true });
  return { outcome: await runTask(definition, context, [], {}), lines: runtime.lines };
};

describe('what a run borrows', () => {
  test('is opened once, committed in order when the handler has returned, then closed', async () => {
    const log: string[] = [];
    const [a, b] = [traced(log, 'a'), traced(log, 'b')];
    const { outcome } = await run(async (task) => {
      const [first, again] = await Promise.all([task.resource(a), task.resource(a)]);
      log.push(`use ${first} ${again} ${await task.resource(b)}`);
      return 5;
    });
    expect(outcome).toMatchObject({ kind: 'success', value: 5 });
    expect(log).toEqual(['open a', 'open b', 'use a a b', 'commit a', 'commit b', 'close b', 'close a']);
  });

  test.each<[what: string, kind: string, why: string, end: (task: TaskContext) => unknown]>([
    [
      'an error',
      'failure',
      'no',
      () => {
        throw new Error('no');
      },
    ],
    ['a retry', 'retry', 'Retry in 1s', (task) => task.retry({ countdown: 1 })],
    [
      'Ignore',
      'ignored',
      'Ignore',
      () => {
        throw new Ignore();
      },
    ],
    ['a result that is no data', 'failure', 'cannot encode value: a Set is no JSON; make it an array', () => new Set()],
  ])('is rolled back after %s', async (_what, kind, why, end) => {
    const log: string[] = [];
    const { outcome } = await run(async (task) => {
      await task.resource(traced(log));
      return end(task);
    });
    expect(outcome.kind).toBe(kind);
    expect(log).toEqual([
      'open db',
      expect.stringContaining(`because ${why.split(':')[0] ?? ''}`),
      'roll back db',
      'close db',
    ]);
  });

  test('fails the task when it cannot be committed; what follows is rolled back', async () => {
    const log: string[] = [];
    const { outcome, lines } = await run(async (task) => {
      await task.resource(traced(log, 'a'));
      await task.resource(traced(log, 'b', ['commit', 'close']));
    });
    expect(outcome).toMatchObject({ kind: 'failure', exception: { excArgs: ['cannot commit'] } });
    expect(log.slice(2)).toEqual([
      'commit a',
      'commit b',
      'because cannot commit',
      'roll back b',
      'close b',
      'close a',
    ]);
    // The outcome stands; the failing close is told.
    expect(lines).toEqual([expect.objectContaining({ level: 'error', message: 'could not close b', task_id: 'id-1' })]);
  });

  test('is not opened after the run, and closed though the handler did not wait for it', async () => {
    const log: string[] = [];
    let late: TaskContext | undefined;
    await run((task) => {
      late = task;
      void task.resource(traced(log));
      return 1;
    });
    expect(log).toEqual(['open db', 'commit db', 'close db']);
    await expect(late?.resource(traced(log, 'x'))).rejects.toThrow('x cannot be opened: the run of the task has ended');
  });

  test('may be tried again when it cannot be opened', async () => {
    let tries = 0;
    const flaky = defineResource({
      open: () => {
        tries += 1;
        if (tries === 1) throw new Error('away');
        return tries;
      },
    });
    const { outcome } = await run(async (task) => {
      await expect(task.resource(flaky)).rejects.toThrow('away');
      return task.resource(flaky);
    });
    expect(outcome).toMatchObject({ kind: 'success', value: 2 });
  });

  test('is not committed for a revoked task whose handler returned all the same', async () => {
    const log: string[] = [];
    const { definition, context, controller } = bench(
      async (task: TaskContext) => {
        await task.resource(traced(log));
        controller.abort(new TaskRevokedError('terminated'));
        return 1;
      },
      { bind: true },
    );
    expect(await runTask(definition, context, [], {})).toMatchObject({ kind: 'revoked' });
    expect(log).toEqual(['open db', 'because terminated', 'roll back db', 'close db']);
  });

  test('is given back at the hard time limit, though the handler runs on', async () => {
    const log: string[] = [];
    const { definition, context } = bench(
      async (task: TaskContext) => {
        await task.resource(traced(log));
        await sleep(60);
        log.push('still here');
        await expect(task.resource(traced(log, 'more'))).rejects.toThrow('time limit');
        return 1;
      },
      { bind: true },
    );
    const running = runTask(definition, context, [], {});
    await sleep(15);
    context.end(new TimeLimitExceeded(1));
    await running;
    expect(log.slice(1)).toEqual([
      expect.stringMatching(/^because .*time limit/),
      'roll back db',
      'close db',
      'still here',
    ]);
  });

  test('is committed or rolled back in a direct call too', async () => {
    const log: string[] = [];
    const { definition, context } = bench(async (task: TaskContext) => task.resource(traced(log)), {
      bind: true,
    });
    expect(await callDirectly(definition, context, [])).toBe('db');
    expect(log).toEqual(['open db', 'commit db', 'close db']);
  });
});
