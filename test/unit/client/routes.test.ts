import { describe, expect, test } from '@jest/globals';
import { Routes } from '../../../src/client/routes.ts';
import { ConfigError } from '../../../src/errors.ts';

const routed = (setting: unknown, name: string, options: Record<string, unknown> = {}): unknown =>
  new Routes(setting).apply(name, options);

describe('task_routes', () => {
  test.each([
    ['a name', { 'feed.import': 'feeds' }, 'feed.import', { queue: 'feeds' }],
    ['a name that is not there', { 'feed.import': 'feeds' }, 'feed.export', {}],
    ['a pattern', { 'feed.*': { queue: 'feeds' } }, 'feed.import', { queue: 'feeds' }],
    ['a pattern that ends before the name does', { '*.import': 'q' }, 'feed.import.all', {}],
    ['the name before the pattern', { 'feed.*': 'all', 'feed.import': 'one' }, 'feed.import', { queue: 'one' }],
    ['the first of two patterns', { 'f*': 'first', 'feed.*': 'second' }, 'feed.import', { queue: 'first' }],
    ['no pattern without a star', { 'fee?.import': 'q' }, 'feed.import', {}],
    ['brackets where there is a star', { 'fee[cd].*': 'q' }, 'feed.import', { queue: 'q' }],
    ['pairs', [['feed.*', 'feeds']], 'feed.import', { queue: 'feeds' }],
    ['pairs as Celery wants them', [[[/(video|image)\.tasks\..*/, 'media']]], 'image.tasks.x', { queue: 'media' }],
    ['a regular expression, from the beginning', [[/tasks\./, 'q']], 'image.tasks.x', {}],
    ['a regular expression that has state', [[/tasks\./g, 'q']], 'tasks.x', { queue: 'q' }],
    ['a Map', new Map<unknown, unknown>([[/t/, 'q']]), 'tasks.x', { queue: 'q' }],
    ['the first router that knows', [{ a: 'one' }, { a: 'two', b: 'three' }], 'b', { queue: 'three' }],
    [
      'all that a route may say',
      { a: { exchange: 'e', routing_key: 'k', priority: 3, serializer: 'yaml', delivery_mode: 1 } },
      'a',
      { exchange: 'e', routingKey: 'k', priority: 3, serializer: 'yaml', deliveryMode: 1 },
    ],
    ['nothing', null, 'a', {}],
  ])('%s', (_what, setting, name, expected) => {
    const routes = new Routes(setting);
    expect(routes.apply(name, {})).toEqual(expected);
    // Again, from memory.
    expect(routes.apply(name, {})).toEqual(expected);
  });

  test('what the caller says holds, what it leaves open does not', () => {
    expect(routed({ a: { queue: 'q', priority: 3 } }, 'a', { queue: 'mine', priority: undefined, args: [1] })).toEqual({
      queue: 'mine',
      priority: 3,
      args: [1],
    });
  });

  test('a function is asked for each message, with what is sent', () => {
    const calls: unknown[] = [];
    const routes = new Routes([
      (...given: unknown[]) => {
        calls.push(given);
        return given[0] === 'a' && (given[1] as number[])[0] === 1 ? { queue: 'ones', routing_key: 'k' } : null;
      },
      { a: 'others' },
    ]);
    const options = { args: [1], kwargs: { x: 2 }, countdown: 3 };
    expect(routes.apply('a', options)).toEqual({ queue: 'ones', routingKey: 'k', ...options });
    expect(routes.apply('a', { args: [2] })).toEqual({ queue: 'others', args: [2] });
    expect(calls).toEqual([
      ['a', [1], { x: 2 }, options],
      ['a', [2], {}, { args: [2] }],
    ]);
  });

  test('what a function throws reaches the caller', () => {
    expect(() =>
      routed(() => {
        throw new RangeError('no such tenant');
      }, 'a'),
    ).toThrow(new RangeError('no such tenant'));
  });

  test.each([
    [{ a: { queu: 'x' } }, 'task_routes, "a": a route has no field "queu", did you mean "queue"?'],
    [{ a: { queue: 3 } }, 'task_routes, "a": queue must be a text, not 3'],
    [{ a: { priority: 'high' } }, 'task_routes, "a": priority must be a whole number, not "high"'],
    [{ a: 3 }, `task_routes, "a": a route is a queue's name or a dict with queue, routing_key ..., not 3`],
    [['proj.routers:route'], 'task_routes: give the router itself, not its name "proj.routers:route"'],
    [7, 'task_routes must be a dict of task names or patterns, a function, or a list of those, not 7'],
    [[[['a', 'b'], 'c']], 'task_routes: "c" is no pair of a task name and a route'],
  ])('%j is refused', (setting, message) => {
    expect(() => new Routes(setting)).toThrow(new ConfigError(message));
  });

  test('an answer of a function that is no route is refused', () => {
    expect(() => routed(() => 5, 'a')).toThrow('the router for task "a": a route is');
  });

  test('names made up as one goes do not fill the memory', () => {
    const routes = new Routes({ '*': 'q' });
    for (let i = 0; i < 25_000; i++) routes.apply(`task.${i}`, {});
    expect(routes.apply('task.1', {})).toEqual({ queue: 'q' });
  });
});
