import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import { TaskHandler } from '../../../src/tasks/handler.ts';
import { TaskContext } from '../../../src/tasks/context.ts';
import { runEndHooks } from '../../../src/tasks/hooks.ts';
import { createRequest } from '../../../src/tasks/request.ts';
import { defineTask } from '../../../src/tasks/task.ts';
import { runTask } from '../../../src/tasks/trace.ts';
import { recordingRuntime } from './runtime.ts';

function runOf(handler: unknown, args: unknown[] = [], options: object = {}) {
  const definition = defineTask('tasks.t', options, handler);
  const runtime = recordingRuntime();
  const contextOf = (id: string) => new TaskContext(definition, createRequest({ id, task: 'tasks.t' }), runtime);
  const context = contextOf('id-1');
  return { definition, context, contextOf, runtime, outcome: runTask(definition, context, args, {}) };
}

class Counter {
  #made = 0; // private: `this` is the instance itself, no stand-in
  run(step: number, times = 1): number {
    this.#made += step * times;
    return this.#made;
  }
}

describe('a class as handler', () => {
  test('is one instance for all runs, its method bound as Python binds one', async () => {
    const { definition, context, outcome } = runOf(Counter, [2]);
    expect(await outcome).toMatchObject({ kind: 'success', value: 2 });
    expect(await runTask(definition, context, [], { step: 3, times: 2 })).toMatchObject({ value: 8 });
    expect(await runTask(definition, context, [], {})).toMatchObject({
      kind: 'failure',
      exception: { excArgs: ["Counter.run() missing 1 required positional argument: 'step'"] },
    });
    expect(await runTask(definition, context, [1, 2, 3], {})).toMatchObject({
      exception: { excArgs: ['Counter.run() takes from 2 to 3 positional arguments but 4 were given'] },
    });
  });

  test('may be an instance, or an object with a method run', async () => {
    class Greet {
      readonly greeting: string;
      constructor(greeting: string) {
        this.greeting = greeting;
      }
      run(name: string): string {
        return `${this.greeting} ${name}`;
      }
    }
    expect(await runOf(new Greet('hello'), ['Ann']).outcome).toMatchObject({ value: 'hello Ann' });
    expect(await runOf({ run: (x: number) => x + 1 }, [1]).outcome).toMatchObject({ value: 2 });
  });

  test('has hooks as methods, inherited ones too, called on the instance; those of the options come first', async () => {
    const calls: unknown[] = [];
    abstract class WithHooks {
      readonly prefix = 'p';
      beforeStart(task: TaskContext): void {
        task.local['startedAt'] = 1;
      }
      onSuccess(task: TaskContext, result: unknown): void {
        calls.push([this.prefix, 'onSuccess', task.local['startedAt'], result]);
      }
      afterReturn(): void {
        calls.push('the class');
      }
    }
    class Job extends WithHooks {
      run(): number {
        return 1;
      }
    }
    const { definition, context, outcome } = runOf(Job, [], { afterReturn: () => calls.push('the options') });
    await outcome;
    await runEndHooks(definition, context, { kind: 'success', value: 1 });
    expect(calls).toEqual([['p', 'onSuccess', 1, 1], 'the options']);
  });

  test('bound, gets the context first', async () => {
    class Bound {
      run(task: TaskContext, x: number): unknown[] {
        return [task.request.id, x, this instanceof Bound];
      }
    }
    expect(await runOf(Bound, [5], { bind: true }).outcome).toMatchObject({ value: ['id-1', 5, true] });
  });

  test('that extends TaskHandler sees the run it is in, also when runs overlap', async () => {
    class Job extends TaskHandler {
      async run(): Promise<string[]> {
        const before = this.request.id;
        await new Promise((resolve) => setTimeout(resolve, 5));
        await this.progress(1, 2);
        return [before, this.request.id, this.name];
      }
    }
    const { definition, contextOf, runtime } = runOf(Job);
    const outcomes = await Promise.all(['a', 'b'].map((id) => runTask(definition, contextOf(id), [], {})));
    expect(outcomes).toMatchObject([{ value: ['a', 'a', 'tasks.t'] }, { value: ['b', 'b', 'tasks.t'] }]);
    expect(runtime.states).toContainEqual(['b', 'b', 'PROGRESS', expect.objectContaining({ current: 1 })]);
    class Retries extends TaskHandler {
      run(): never {
        throw this.retry({ countdown: 1 });
      }
    }
    expect(await runOf(Retries).outcome).toMatchObject({ kind: 'retry' });
    expect(() => new Job().request).toThrow('no task runs here');
  });

  test.each<[what: string, handler: unknown, message: RegExp]>([
    [
      'a class without run',
      class Empty {
        readonly x = 1;
      },
      /the class Empty has no method run/,
    ],
    [
      'a class that cannot be made',
      class Needy {
        constructor() {
          throw new TypeError('needs a url');
        }
        run(): void {
          // never called
        }
      },
      /Needy cannot be constructed without arguments \(TypeError: needs a url\); give an instance/,
    ],
    [
      'a hook that is no method',
      { run: () => 1, onSuccess: 5 },
      /the member onSuccess of its class must be a method, not number/,
    ],
    ['an object without run', {}, /needs a function, a class with a method run, or such an object/],
    ['nothing', undefined, /needs a function/],
  ])('%s is refused', (_what, handler, message) => {
    expect(() => defineTask('tasks.t', {}, handler)).toThrow(ConfigError);
    expect(() => defineTask('tasks.t', {}, handler)).toThrow(message);
  });
});
