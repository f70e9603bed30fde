/* eslint-disable @typescript-eslint/unbound-method -- only the source of methods is read */
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../src/errors.ts';
import { readParameters } from '../../../src/tasks/parameters.ts';

type AnyFunction = (...args: never[]) => unknown;

/** `x y?` for a function of one required and one optional parameter, `...rest` for a rest parameter. */
const heads = (handler: AnyFunction, options: Parameters<typeof readParameters>[2] = {}): string =>
  readParameters('tasks.t', handler, options)
    .parameters.map(({ name, kind, required }) => {
      if (kind === 'positional') return required ? name : `${name}?`;
      return { rest: '...', varargs: '*', keywords: '**' }[kind] + name;
    })
    .join(' ');

/** A function made from text alone, so that no compiler of the tests changes it. */
const compiled = (text: string): AnyFunction => runInNewContext(`(${text})`) as AnyFunction;

describe('reads the parameters of', () => {
  test.each<[text: string, expected: string]>([
    ['function add(x, y) {}', 'x y'],
    ['function (x) {}', 'x'],
    ['function () {}', ''],
    ['async function add(x, y = 1) { await x }', 'x y?'],
    ['x => x', 'x'],
    ['async x => { await x }', 'x'],
    ['(x,y)=>x+y', 'x y'],
    ['async(a,b=1,...c)=>{await a}', 'a b? ...c'],
    ['(x /* , y */, // z\n w) => 0', 'x w'],
    ['(a = ")", b = `,${[1, (2, 3)]})`, c = /[)]/, d = (e, f) => ({ g: [e, f] })) => 0', 'a? b? c? d?'],
    ['(a = function (q, r) { return "=>" }, b) => 0', 'a? b'],
    ['({ a, b }, [c] = [], d) => 0', 'arg0 arg1? d'],
    ['(a, ...[b, c]) => 0', 'a ...arg1'],
    ['(ünï, $_, \\u0061b) => 0', 'ünï $_ ab'],
    ['(async, of, get, static) => 0', 'async of get static'],
    ['function f(x) { return new.target }', 'x'],
    ['function f(x) { with (x) { return 010 } }', 'x'],
  ])('%s', (text, expected) => {
    expect(heads(compiled(text))).toBe(expected);
  });

  test('functions that only a module can hold', () => {
    expect(heads((a: number, b = import.meta.url) => [a, b])).toBe('a b?');
  });

  test('methods, with whatever stands before their name', () => {
    const key = 'computed';
    class Tasks {
      static shared(x: number) {
        return x;
      }
      #secret(x: number, y = 1) {
        return x + y;
      }
      plain(x: number, y = 1) {
        return x + y;
      }
      async later(x: number) {
        return this.#secret(x);
      }
      async 'quoted name'(x: number) {
        return x;
      }
      [key](x: number) {
        return x;
      }
      get(x: number) {
        return x;
      }
      async(x: number) {
        return x;
      }
      secret(): AnyFunction {
        return this.#secret;
      }
    }
    class Special extends Tasks {
      override plain(x: number, y = 2, ...z: number[]) {
        return super.plain(x, y) + z.length;
      }
    }
    const tasks = new Tasks();
    const methods = [
      tasks.later,
      tasks['quoted name'],
      tasks[key],
      tasks.get,
      tasks.async,
      Tasks.shared,
    ] as AnyFunction[];
    for (const method of methods) expect(heads(method)).toBe('x');
    expect(heads(tasks.plain)).toBe('x y?');
    expect(heads(tasks.secret())).toBe('x y?');
    expect(heads(new Special().plain)).toBe('x y? ...z');
    expect(heads({ sloppy: compiled('function f(a, b) { return 010 }') }.sloppy)).toBe('a b');
  });
});

describe('takes the first parameter of a bound handler for its context', () => {
  test('and tells its name', () => {
    expect(readParameters('t', compiled('(task, x) => 0'), { bind: true })).toEqual({
      context: 'task',
      parameters: [{ name: 'x', kind: 'positional', required: true }],
    });
  });
  test('without a name where a pattern stands, and counting arguments from 0 after it', () => {
    expect(readParameters('t', compiled('({ request }, { x }) => 0'), { bind: true })).toMatchObject({
      context: null,
      parameters: [{ name: 'arg0' }],
    });
  });
  test('or leaves a rest parameter to take the context and all else', () => {
    expect(heads(compiled('(...all) => 0'), { bind: true })).toBe('...all');
  });
  test('and accepts a handler without parameters', () => {
    expect(heads(compiled('() => 0'), { bind: true })).toBe('');
  });
});

describe('params', () => {
  test('gives the names, the source the defaults and the rest', () => {
    expect(heads(compiled('(a,b=1,...c)=>0'), { params: ['x', 'y', 'more'] })).toBe('x y? ...more');
    expect(heads(compiled('(t,a,b)=>0'), { bind: true, params: ['x', 'y?'] })).toBe('x y?');
  });
  test('may name more than the handler looks at', () => {
    expect(heads(compiled('(a)=>0'), { params: ['x', 'y', 'z?'] })).toBe('x y z?');
  });
  test('takes stars as Python does', () => {
    expect(heads(compiled('(a,b,c)=>0'), { params: ['x', '*args', '**kwargs'] })).toBe('x *args **kwargs');
    expect(heads(compiled('(a,...b)=>0'), { params: ['x', '*args'] })).toBe('x ...args');
  });
  test('describes functions whose source is out of reach, by their length', () => {
    const bound = ((_t: unknown, _x: unknown, _y = 1) => 0).bind(null) as AnyFunction;
    expect(heads(bound, { params: ['x', 'y', 'z'] })).toBe('x y z?');
    expect(heads(bound, { bind: true, params: ['x', 'y'] })).toBe('x y?');
    expect(heads(Math.max, { params: ['*numbers'] })).toBe('...numbers');
  });
  test.each<[text: string, params: string[], message: string]>([
    ['(a, b) => 0', ['x'], 'task "tasks.t": params names 1 of the 2 parameters of its handler'],
    ['(a, b) => 0', ['x', 'x'], 'task "tasks.t" has two parameters named "x"'],
    ['(a, b) => 0', ['**x', 'y'], 'task "tasks.t": in params, "y" cannot come after "x"'],
    ['(a, b) => 0', ['*x', 'y'], 'task "tasks.t": in params, "y" cannot come after "x"'],
    ['(...a) => 0', ['x', '**y'], 'task "tasks.t": in params, "y" cannot come after "x"'],
    ['(a) => 0', ['**'], 'task "tasks.t": params has an entry without a name: "**"'],
    ['(a) => 0', ['?'], 'task "tasks.t": params has an entry without a name: "?"'],
  ])('of %s cannot be %j', (text, params, message) => {
    expect(() => heads(compiled(text), { params })).toThrow(new ConfigError(message));
  });
});

describe('refuses', () => {
  const bound = compiled('function add(x, y) {}').bind(null);
  test.each<[what: string, handler: AnyFunction, message: RegExp]>([
    ['a bound function', bound, /task "tasks.t": the parameters of its handler cannot be read.*params: \['x', 'y'\]/u],
    ['a native function', Math.max, /native or bound function/u],
    ['a class', compiled('class A { run(x) {} }'), /is a class/u],
    ['a generator', compiled('function* f(x) {}'), /is a generator/u],
    ['an asynchronous generator', compiled('async function* f(x) {}'), /is a generator/u],
    ['a generator method', compiled('{ *f(x) {} }.f'), /is a generator/u],
    ['two parameters of one name', compiled('function f(a, a) {}'), /two parameters named "a"/u],
  ])('%s', (_what, handler, message) => {
    const read = () => heads(handler);
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });
});
