/** The expected messages were printed by CPython 3.11 for the same definitions and calls. */
import { describe, expect, test } from '@jest/globals';
import { compileBinding, type Args, type Kwargs } from '../../../src/tasks/binding.ts';
import { readParameters } from '../../../src/tasks/parameters.ts';

type Case = [call: Args, keywords: Kwargs, message: string];

const binder = (name: string, handler: (...args: never[]) => unknown, bind = false, params?: string[]) =>
  compileBinding(name, readParameters(`tasks.${name}`, handler, { bind, params }), bind);

const refuses = (name: string, handler: (...args: never[]) => unknown, cases: Case[], bind = false): void => {
  test.each(cases)(`${name}(*%j, **%j): %s`, (args, kwargs, message) => {
    expect(() => binder(name, handler, bind)(args, kwargs)).toThrow(new TypeError(`${name}() ${message}`));
  });
};

const x = (): undefined => undefined;

describe('refuses what Python refuses, in its words', () => {
  refuses('add', (_a: unknown, _b: unknown) => x(), [
    [[], {}, "missing 2 required positional arguments: '_a' and '_b'"],
    [[1], {}, "missing 1 required positional argument: '_b'"],
    [[1, 2, 3], {}, 'takes 2 positional arguments but 3 were given'],
    [[1, 2], { z: 3 }, "got an unexpected keyword argument 'z'"],
    [[1], { z: 3 }, "got an unexpected keyword argument 'z'"],
    [[1, 2, 3], { z: 3 }, "got an unexpected keyword argument 'z'"],
    [[1, 2, 3], { _a: 3 }, "got multiple values for argument '_a'"],
    [[1], { _a: 3 }, "got multiple values for argument '_a'"],
    [[1], { _a: 1, q: 1 }, "got multiple values for argument '_a'"],
    [[1], { q: 1, _a: 1 }, "got an unexpected keyword argument 'q'"],
    [[1, 2], { _b: 1, _a: 1 }, "got multiple values for argument '_b'"],
    [[], { _b: 1 }, "missing 1 required positional argument: '_a'"],
    [[1, 2], { "a'b": 1 }, "got an unexpected keyword argument 'a'b'"],
    [[1, 2], { '': 1 }, "got an unexpected keyword argument ''"],
    [[1, 2], { toString: 1 }, "got an unexpected keyword argument 'toString'"],
    [[1, 2], { constructor: 1 }, "got an unexpected keyword argument 'constructor'"],
    [[1, 2], JSON.parse('{"__proto__": 1}') as Kwargs, "got an unexpected keyword argument '__proto__'"],
  ]);
  refuses('add3', (_a: unknown, _b: unknown, _z = null) => x(), [
    [[], {}, "missing 2 required positional arguments: '_a' and '_b'"],
    [[1, 2, 3, 4], {}, 'takes from 2 to 3 positional arguments but 4 were given'],
    [[1], { _z: 3 }, "missing 1 required positional argument: '_b'"],
    [[1, 2, 3], { _z: 3 }, "got multiple values for argument '_z'"],
  ]);
  refuses('none', () => x(), [
    [[1], {}, 'takes 0 positional arguments but 1 was given'],
    [[1, 2], {}, 'takes 0 positional arguments but 2 were given'],
    [[], { a: 1 }, "got an unexpected keyword argument 'a'"],
  ]);
  refuses('one', (_a: unknown) => x(), [
    [[], {}, "missing 1 required positional argument: '_a'"],
    [[1, 2], {}, 'takes 1 positional argument but 2 were given'],
  ]);
  refuses('opt', (_a = 1) => x(), [[[1, 2], {}, 'takes from 0 to 1 positional arguments but 2 were given']]);
  refuses('four', (_a: unknown, _b: unknown, _c: unknown, _d = 1) => x(), [
    [[], {}, "missing 3 required positional arguments: '_a', '_b', and '_c'"],
    [[], { _b: 1 }, "missing 2 required positional arguments: '_a' and '_c'"],
  ]);
  refuses('rest', (_a: unknown, ..._args: unknown[]) => x(), [
    [[], {}, "missing 1 required positional argument: '_a'"],
    [[1, 2], { _a: 1 }, "got multiple values for argument '_a'"],
    [[1], { _args: [1] }, "got an unexpected keyword argument '_args'"],
  ]);
});

describe('counts the context of a bound task as Python counts self', () => {
  refuses(
    'fetch',
    (_task: unknown, _url: unknown, _b = 1) => x(),
    [
      [[], {}, "missing 1 required positional argument: '_url'"],
      [[1, 2, 3], {}, 'takes from 2 to 3 positional arguments but 4 were given'],
      [[1], { _task: 2 }, "got multiple values for argument '_task'"],
      [[1], { _url: 2 }, "got multiple values for argument '_url'"],
    ],
    true,
  );
});

describe('binds', () => {
  const add = (_x: unknown, _y: unknown, _z: unknown = 0) => x();

  test('positional arguments of a fitting number without copying them', () => {
    const args = [1, 2];
    expect(binder('add', add)(args, {})).toBe(args);
  });

  test('keywords by name, wherever they stand', () => {
    expect(binder('add', add)([1], { _z: 3, _y: 2 })).toEqual([1, 2, 3]);
  });

  test('undefined for what is left out, so that the default of the handler holds', () => {
    const handler = (a = 'a', b = 'b', c = 'c') => [a, b, c];
    const bound = binder('opt', handler)([], { b: 1 });
    expect(handler(...(bound as []))).toEqual(['a', 1, 'c']);
  });

  test('null as a value, which no default replaces', () => {
    expect(binder('add', add)([1], { _y: null, _z: null })).toEqual([1, null, null]);
  });

  test('a required parameter that follows an optional one', () => {
    const bind = binder('odd', (_a = 1, _b: unknown) => x());
    expect(bind([], { _b: 2 })).toEqual([undefined, 2]);
    expect(() => bind([5], {})).toThrow("odd() missing 1 required positional argument: '_b'");
  });

  test('what is left over to a rest parameter, also beside keywords', () => {
    const bind = binder('rest', (_a: unknown, _b = 1, ..._more: unknown[]) => x());
    expect(bind([1, 2, 3, 4], {})).toEqual([1, 2, 3, 4]);
    expect(bind([1], { _b: 2 })).toEqual([1, 2]);
    expect(bind([], { _a: 1 })).toEqual([1, undefined]);
  });

  test('a bound handler that is all rest', () => {
    expect(binder('any', (..._all: unknown[]) => x(), true)([1, 2], {})).toEqual([1, 2]);
  });

  test('`*` and `**` of params as one array and one object', () => {
    const bind = binder('any', (_a: unknown, _more: unknown, _options: unknown) => x(), false, [
      'a',
      '*more',
      '**options',
    ]);
    expect(bind([1, 2, 3], { deep: true })).toEqual([1, [2, 3], { deep: true }]);
    expect(bind([1], {})).toEqual([1, [], {}]);
    const options = bind([1], JSON.parse('{"__proto__": {"evil": 1}}') as Kwargs)[2] as Record<string, unknown>;
    expect(Object.getPrototypeOf(options)).toBe(Object.prototype);
    expect(Object.keys(options)).toEqual(['__proto__']);
  });

  test('parameters named like members of Object.prototype', () => {
    const bind = binder('odd', (_a: unknown, _b: unknown) => x(), false, ['__proto__', 'constructor']);
    const kwargs = JSON.parse('{"__proto__": 1, "constructor": 2}') as Kwargs;
    expect(bind([], kwargs)).toEqual([1, 2]);
    expect(() => bind([], {})).toThrow("odd() missing 2 required positional arguments: '__proto__' and 'constructor'");
  });
});
