import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import { resolveTaskOptions } from '../../../src/tasks/options.ts';

test("what is left out has Celery's default, and is undefined where a setting decides", () => {
  expect(resolveTaskOptions('tasks.t', {})).toEqual({
    bind: false,
    typing: true,
    maxRetries: 3,
    defaultRetryDelay: 180,
    autoretryFor: [],
    dontAutoretryFor: [],
    retryBackoff: false,
    retryBackoffMax: 600,
    retryJitter: true,
    throws: [],
  });
});

test('undefined counts as left out, null does not', () => {
  expect(resolveTaskOptions('tasks.t', { maxRetries: undefined, rateLimit: null })).toMatchObject({
    maxRetries: 3,
    rateLimit: null,
  });
  expect(resolveTaskOptions('tasks.t', { maxRetries: null }).maxRetries).toBeNull();
});

test('the result cannot be changed', () => {
  const options = resolveTaskOptions('tasks.t', { acksLate: true });
  expect(() => Object.assign(options, { acksLate: false })).toThrow(TypeError);
});

// The client refuses to send such a task; a worker that has it registered must still start.
test('a soft time limit above the hard one is no error here, as in Celery', () => {
  expect(resolveTaskOptions('tasks.t', { softTimeLimit: 2, timeLimit: 1 })).toMatchObject({ softTimeLimit: 2 });
});

describe('accepts', () => {
  test.each<[option: string, value: unknown]>([
    ['rateLimit', '10/m'],
    ['rateLimit', '0.5/h'],
    ['rateLimit', '7'],
    ['rateLimit', ''],
    ['rateLimit', 3],
    ['retryBackoff', 2.5],
    ['retryBackoff', true],
    ['throws', [TypeError, 'KeyError']],
    ['expires', new Date(0)],
    ['priority', 0],
    ['resultExpires', null],
    ['params', []],
    ['onFailure', () => null],
  ])('%s: %p', (option, value) => {
    expect(resolveTaskOptions('tasks.t', { [option]: value })).toHaveProperty(option, value);
  });
});

describe('refuses', () => {
  test.each<[option: string, value: unknown, expected: string]>([
    ['bind', 1, 'true or false, not 1'],
    ['acksLate', 'yes', 'true or false, not "yes"'],
    ['maxRetries', -1, 'a whole number from 0, or null for no end, not -1'],
    ['maxRetries', 1.5, 'a whole number from 0, or null for no end, not 1.5'],
    ['defaultRetryDelay', Infinity, 'a number of seconds, not Infinity'],
    ['timeLimit', 0, 'a number of seconds above 0, not 0'],
    ['softTimeLimit', '20', 'a number of seconds above 0, not "20"'],
    ['rateLimit', '10/d', "a number a second, or a text such as '10/s', '10/m' or '10/h', not \"10/d\""],
    ['autoretryFor', TypeError, 'a list of error classes or exception names, not a function'],
    ['throws', [5], 'a list of error classes or exception names, not a list'],
    ['params', 'x', 'a list of parameter names, not "x"'],
    ['args', {}, 'a zod object (3.24 or later) or any other Standard Schema, not a object'],
    ['expires', new Date(Number.NaN), 'a number of seconds or a Date, not a object'],
    ['priority', 256, 'a whole number from 0 to 255, not 256'],
    ['queue', '', 'a name, not ""'],
    ['beforeStart', {}, 'a function, not a object'],
  ])('%s: %p', (option, value, expected) => {
    expect(() => resolveTaskOptions('tasks.t', { [option]: value })).toThrow(
      new ConfigError(`task "tasks.t": the option ${option} must be ${expected}`),
    );
  });

  test.each<[option: string, hint: string]>([
    ['acks_late', ' (did you mean "acksLate"?)'],
    ['maxretries', ' (did you mean "maxRetries"?)'],
    ['qwertyuiop', ''],
    ['toString', ''],
  ])('the unknown option %s', (option, hint) => {
    expect(() => resolveTaskOptions('tasks.t', { [option]: 1 })).toThrow(
      new ConfigError(`task "tasks.t": unknown option "${option}"${hint}`),
    );
  });

  test('the unknown option __proto__', () => {
    expect(() => resolveTaskOptions('tasks.t', JSON.parse('{"__proto__": 1}'))).toThrow('unknown option "__proto__"');
  });

  test.each([null, 5, [1], 'x'])('options that are %p', (options) => {
    expect(() => resolveTaskOptions('tasks.t', options)).toThrow(ConfigError);
  });
});
