import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import { annotated } from '../../../src/tasks/annotations.ts';
import { defineTask } from '../../../src/tasks/task.ts';

const task = defineTask('a', { rateLimit: '9/s', acksLate: true }, (x: number) => x);

describe('task_annotations', () => {
  // The first two are what Celery 5.6.3 gives for the same settings.
  test.each([
    [
      'the star overrides the name',
      { '*': { rate_limit: '1/s', max_retries: 1 }, a: { rate_limit: '2/s' } },
      { rateLimit: '1/s', maxRetries: 1, acksLate: true },
    ],
    [
      'of a list the first of each counts',
      [
        { '*': { rate_limit: '1/s', max_retries: 1 } },
        { a: { rate_limit: '2/s', priority: 3 }, '*': { time_limit: 5 } },
      ],
      { rateLimit: '1/s', maxRetries: 1, priority: 3, timeLimit: undefined },
    ],
    ['a pattern is only a name', { 'a*': { rateLimit: '2/s' } }, { rateLimit: '9/s' }],
    ['camelCase means the same', { a: { rateLimit: '2/s' } }, { rateLimit: '2/s' }],
    ['null takes a limit away', { a: { rate_limit: null } }, { rateLimit: null }],
  ])('%s', (_what, setting, expected) => {
    const { options } = annotated(task, setting);
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, options[name as never]]))).toEqual(expected);
  });

  test('a hook takes the place of that one, the others of the class stay', () => {
    class Job {
      run(): number {
        return 1;
      }
      onSuccess(): string {
        return 'of the class';
      }
      onFailure(): string {
        return 'of the class';
      }
    }
    const { hooks, hasEndHooks } = annotated(defineTask('a', {}, Job), { a: { on_failure: () => 'of the settings' } });
    expect([hooks.onSuccess?.(null as never, 1), hooks.onFailure?.(null as never, 1), hasEndHooks]).toEqual([
      'of the class',
      'of the settings',
      true,
    ]);
  });

  test('a task nobody speaks of stays as it is', () => {
    expect(annotated(task, { b: { rate_limit: '1/s' } })).toBe(task);
    expect(annotated(task, null)).toBe(task);
  });

  test('the task still runs, and may have hooks', () => {
    const onFailure = (): void => undefined;
    const changed = annotated(task, { a: { on_failure: onFailure } });
    expect(changed.options.onFailure).toBe(onFailure);
    expect(changed.bind([1], {})).toEqual([1]);
  });

  test.each([
    [{ a: { rate_limt: 1 } }, 'task "a": unknown option "rateLimt" (did you mean "rateLimit"?)'],
    [{ a: { max_retries: 'x' } }, 'task "a": the option maxRetries must be a whole number from 0'],
    [{ a: { bind: true } }, 'task_annotations, "a": "bind" can only be given where the task is registered'],
    [{ a: { '@__call__': 1 } }, 'task_annotations, "a": "@__call__" would wrap a method'],
    [{ a: 3 }, 'task_annotations, "a": must be a dict of task options'],
    ['proj:Annotations', 'task_annotations must be a dict of options by task name'],
  ])('%j is refused', (setting, message) => {
    expect(() => annotated(task, setting)).toThrow(ConfigError);
    expect(() => annotated(task, setting)).toThrow(message);
  });
});
