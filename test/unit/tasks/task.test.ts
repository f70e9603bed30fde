import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { ConfigError, NotRegisteredError } from '../../../src/errors.ts';
import { TaskRegistry } from '../../../src/tasks/registry.ts';
import { defineTask } from '../../../src/tasks/task.ts';

describe('a definition', () => {
  test('binds and runs a plain handler', () => {
    const task = defineTask('tasks.add', {}, (x: number, y: number, z = 0) => x + y + z);
    expect(task).toMatchObject({ name: 'tasks.add', functionName: 'add', kind: 'function' });
    expect(task.parameters.map(({ name }) => name)).toEqual(['x', 'y', 'z']);
    expect(task.run(null as never, task.bind([1], { y: 2 }) as unknown[])).toBe(3);
  });

  test('puts the context before the arguments of a bound handler', () => {
    const task = defineTask('tasks.t', { bind: true }, (context: unknown, x: number) => [context, x]);
    const context = { request: {} };
    expect(task.run(context as never, task.bind([1], {}) as unknown[])).toEqual([context, 1]);
  });

  test('gives a handler with a schema its one object', async () => {
    const task = defineTask('tasks.t', { args: z.object({ x: z.number() }) }, (input: { x: number }) => input.x);
    expect(task).toMatchObject({ kind: 'schema', parameters: [] });
    expect(task.run(null as never, task.bind([5], {}) as unknown[])).toBe(5);
    const later = defineTask('tasks.t', { args: z.object({ x: z.number().refine(async () => true) }) }, () => 0);
    expect(task.bind([5], {})).toEqual([{ x: 5 }]);
    await expect(later.bind([5], {})).resolves.toEqual([{ x: 5 }]);
  });

  test.each<[name: string, handler: () => unknown, functionName: string]>([
    ['tasks.add', function plus() {}, 'plus'],
    [
      'tasks.add',
      (
        () => () =>
          0
      )(),
      'add',
    ],
    [
      'add',
      (
        () => () =>
          0
      )(),
      'add',
    ],
    [
      'tasks.',
      (
        () => () =>
          0
      )(),
      'tasks.',
    ],
    ['tasks.add', Object.defineProperty(() => 0, 'name', { value: 'default' }), 'add'],
  ])('of %s speaks in the name of its function, or the last part of its own', (name, handler, functionName) => {
    expect(defineTask(name, {}, handler).functionName).toBe(functionName);
  });

  test.each<[name: unknown, options: unknown, handler: unknown, message: string]>([
    ['', {}, () => 0, 'a task needs a name'],
    [5, {}, () => 0, 'a task needs a name'],
    [
      't',
      {},
      undefined,
      'task "t" needs a function, a class with a method run, or such an object as its handler, not undefined',
    ],
    ['t', {}, null, 'task "t" needs a function, a class with a method run, or such an object as its handler, not null'],
    ['t', { acksLate: 1 }, () => 0, 'task "t": the option acksLate must be'],
    [
      't',
      {},
      class Task {
        run = 1;
      },
      'task "t": the class Task has no method run',
    ],
  ])('cannot be made of %p, %p, %p', (name, options, handler, message) => {
    const define = () => defineTask(name, options, handler);
    expect(define).toThrow(ConfigError);
    expect(define).toThrow(message);
  });
});

describe('the registry', () => {
  const task = (name: string, handler: () => unknown = () => 0) => defineTask(name, {}, handler);

  test('finds tasks by name, whatever the name', () => {
    const registry = new TaskRegistry();
    expect(registry.find('__proto__')).toBeUndefined();
    expect(registry.has('constructor')).toBe(false);
    const odd = task('__proto__');
    registry.register(odd);
    expect(registry.get('__proto__')).toBe(odd);
  });

  test('keeps the last registration of a name and tells of it', () => {
    const replaced: string[] = [];
    const registry = new TaskRegistry((name) => replaced.push(name));
    const handler = () => 1;
    const second = task('t', handler);
    registry.register(task('t'));
    registry.register(second);
    expect(registry.get('t')).toBe(second);
    expect(replaced).toEqual(['t']);
    registry.register(task('t', handler)); // a module imported twice says nothing new
    expect(replaced).toEqual(['t']);
  });

  test("lists names sorted, Celery's own only when asked", () => {
    const registry = new TaskRegistry();
    for (const name of ['t.b', 'celery.chain', 't.a']) registry.register(task(name));
    expect(registry.names()).toEqual(['t.a', 't.b']);
    expect(registry.names({ builtins: true })).toEqual(['celery.chain', 't.a', 't.b']);
    expect([...registry].map(({ name }) => name)).toHaveLength(registry.size);
    expect(registry.unregister('t.a')).toBe(true);
    expect(registry.names()).toEqual(['t.b']);
  });

  test('names what is near when it knows no task of a name', () => {
    const registry = new TaskRegistry();
    for (const name of ['tasks.add', 'proj.mail.send', 'other.mul']) registry.register(task(name));
    const missing = (name: string): unknown => {
      try {
        return registry.get(name);
      } catch (error) {
        return error;
      }
    };
    expect(missing('tasks.ad')).toEqual(new NotRegisteredError('tasks.ad', ['tasks.add']));
    expect(missing('mail.send')).toMatchObject({
      message: 'task "mail.send" is not registered (did you mean "proj.mail.send"?)',
      excArgs: ['mail.send'],
    });
    expect(missing('x.y.send')).toMatchObject({
      message: 'task "x.y.send" is not registered (did you mean "proj.mail.send"?)',
    });
    expect(missing('nothing.like.it')).toMatchObject({ message: 'task "nothing.like.it" is not registered' });
    expect(missing('x'.repeat(1_000_000))).toBeInstanceOf(NotRegisteredError);
  });
});
