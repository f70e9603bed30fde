import { describe, expect, test } from '@jest/globals';
import { ResultKeys } from '../../../src/backend/keys.ts';
import { BackendError } from '../../../src/errors.ts';

describe('the keys of the result backend', () => {
  test("are Celery's", () => {
    const keys = new ResultKeys();
    expect(keys.task('1')).toBe('celery-task-meta-1');
    expect(keys.group('g')).toBe('celery-taskset-meta-g');
    expect(keys.chordParts('g')).toBe('celery-taskset-meta-g.j');
    expect(keys.chordAdded('g')).toBe('celery-taskset-meta-g.t');
    expect(keys.chordSize('g')).toBe('celery-taskset-meta-g.s');
  });

  test.each([
    ['app', 'app_celery-task-meta-1'],
    ['app:', 'app:celery-task-meta-1'],
    ['app_', 'app_celery-task-meta-1'],
    ['app-', 'app-celery-task-meta-1'],
    ['app.', 'app.celery-task-meta-1'],
    ['{app}', '{app}_celery-task-meta-1'],
    ['', 'celery-task-meta-1'],
  ])('take the prefix %j with an underscore only where it has no separator', (prefix, key) => {
    const keys = new ResultKeys(prefix);
    expect(keys.task('1')).toBe(key);
    expect(keys.taskOf(key)).toBe('1');
  });

  test("tell a task's channel from a group's", () => {
    expect(new ResultKeys().taskOf('celery-taskset-meta-1')).toBeNull();
  });

  test.each([[''], [null], [7], [undefined], [{}]])('refuse the id %j', (id) => {
    expect(() => new ResultKeys().task(id as string)).toThrow(BackendError);
    expect(() => new ResultKeys().group(id as string)).toThrow(BackendError);
  });
});
