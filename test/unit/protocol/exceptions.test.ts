import { describe, expect, test } from '@jest/globals';
import { DecodeError, NotRegisteredError, TaskRevokedError } from '../../../src/errors.ts';
import {
  ErrorRegistry,
  exceptionRepr,
  PythonError,
  readWireException,
  TaskError,
  toWireException,
} from '../../../src/protocol/exceptions.ts';
import { tracebackText } from '../../../src/protocol/traceback.ts';

class NotFound extends Error {}
class Named extends Error {
  override name = 'ShownName';
}
class Declared extends Error {
  static readonly excType = 'Outer.Inner';
  static readonly excModule = 'proj.errors';
  readonly excArgs: readonly unknown[];
  constructor(...args: unknown[]) {
    super(args.join());
    this.excArgs = args;
  }
}
class Moduleless extends TypeError {
  static readonly excModule = null;
}
const hostile: unknown = new Proxy(new Error('x'), {
  get: () => {
    throw new Error('no');
  },
});

describe('what a task threw is stored', () => {
  test.each<[string, unknown, string, unknown[], string | null]>([
    ['a TypeError as Python’s', new TypeError('bad'), 'TypeError', ['bad'], 'builtins'],
    ['a SyntaxError as Python’s', new SyntaxError('bad'), 'SyntaxError', ['bad'], 'builtins'],
    ['a RangeError, which Python has none of', new RangeError('bad'), 'RangeError', ['bad'], 'celeriac.errors'],
    ['an Error', new Error('bad'), 'Error', ['bad'], 'celeriac.errors'],
    ['an Error without message', new Error(), 'Error', [], 'celeriac.errors'],
    ['a subclass under its class name', new NotFound('x'), 'NotFound', ['x'], 'celeriac.errors'],
    ['a subclass that sets a name', new Named('x'), 'ShownName', ['x'], 'celeriac.errors'],
    [
      'an error renamed to one of Python’s',
      Object.assign(new Error('x'), { name: 'ValueError' }),
      'ValueError',
      ['x'],
      'builtins',
    ],
    [
      'an error named like the end of the reader',
      Object.assign(new Error('x'), { name: 'SystemExit' }),
      'SystemExit',
      ['x'],
      'celeriac.errors',
    ],
    ['a class that declares all three', new Declared('a', 1), 'Outer.Inner', ['a', 1], 'proj.errors'],
    ['a class that declares no module', new Moduleless('x'), 'Moduleless', ['x'], null],
    [
      'our own errors under Celery’s names',
      new TaskRevokedError('expired'),
      'TaskRevokedError',
      ['expired'],
      'celery.exceptions',
    ],
    ['the name of an unknown task', new NotRegisteredError('t.x'), 'NotRegistered', ['t.x'], 'celery.exceptions'],
    [
      'a PythonError',
      new PythonError('ExpectedException', ['a', 1], { module: 'proj.errors' }),
      'ExpectedException',
      ['a', 1],
      'proj.errors',
    ],
    ['a PythonError of a built-in', new PythonError('KeyError', ['k']), 'KeyError', ['k'], 'builtins'],
    ['a DOMException', new DOMException('late', 'TimeoutError'), 'TimeoutError', ['late'], 'builtins'],
    ['an object that looks like an error', { name: 'Odd', message: 'x' }, 'Odd', ['x'], 'celeriac.errors'],
    ['a string', 'boom', 'Error', ['boom'], 'celeriac.errors'],
    ['undefined', undefined, 'Error', [], 'celeriac.errors'],
    ['null', null, 'Error', [null], 'celeriac.errors'],
    ['an object', { code: 5 }, 'Error', [{ code: 5 }], 'celeriac.errors'],
    ['an error that throws at every touch', hostile, 'Error', [], 'celeriac.errors'],
  ])('%s', (_what, thrown, exc_type, exc_message, exc_module) => {
    expect(toWireException(thrown)).toEqual({ exc_type, exc_message, exc_module });
  });

  test('with the repr of those arguments only that cannot be serialised', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const args = ['x', new Set([1]), () => 1, cycle, new TypeError('in'), undefined, 10n, [{ a: 1 }]];
    expect(toWireException(new PythonError('E', args)).exc_message).toEqual([
      ...['x', '{1}', '<function <lambda>>', '[[...]]', "TypeError('in')", null, 10n, [{ a: 1 }]],
    ]);
  });

  test('as the given serializer can, not as JSON could', () => {
    const refuseNumbers = (value: unknown): void => {
      if (typeof value === 'number') throw new Error('no numbers');
    };
    expect(toWireException(new PythonError('E', [1, 'a']), refuseNumbers).exc_message).toEqual(['1', 'a']);
  });
});

describe('a remote failure', () => {
  const failure = { exc_type: 'NotFound', exc_message: ['x', 2], exc_module: 'proj.errors' };

  test('arrives as a TaskError with its three fields and goes on under them', () => {
    const error = new ErrorRegistry().restore(failure, 'Traceback ...');
    expect(error).toBeInstanceOf(TaskError);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe("NotFound: ('x', 2)");
    expect(error).toMatchObject({
      excType: 'NotFound',
      excMessage: ['x', 2],
      excModule: 'proj.errors',
      traceback: 'Traceback ...',
    });
    expect(toWireException(error)).toEqual(failure);
  });

  test('is an instance of the registered class and of TaskError at once', () => {
    class Missing extends Error {
      readonly what: unknown;
      constructor(what: unknown) {
        super(`${String(what)} is missing`);
        this.what = what;
      }
    }
    const registry = new ErrorRegistry();
    registry.register('proj.errors.NotFound', Missing);
    const error = registry.restore(failure, 'tb');
    expect(error).toBeInstanceOf(Missing);
    expect(error).toBeInstanceOf(TaskError);
    expect(error).toMatchObject({ what: 'x', message: 'x is missing', excType: 'NotFound', traceback: 'tb' });
    expect(toWireException(error)).toEqual(failure);
    expect(registry.restore({ ...failure, exc_module: 'other' })).not.toBeInstanceOf(Missing);
    expect(new Missing('y')).not.toBeInstanceOf(TaskError);
  });

  test('is a plain TaskError where the registered class does not take the arguments', () => {
    class Strict extends Error {
      constructor(n: number) {
        super(n.toFixed(1));
      }
    }
    const registry = new ErrorRegistry();
    registry.register('proj.errors.NotFound', Strict);
    const error = registry.restore(failure);
    expect(error).not.toBeInstanceOf(Strict);
    expect(error).toBeInstanceOf(TaskError);
  });

  test('is not confused with subclasses of TaskError', () => {
    class Special extends TaskError {}
    expect(new TaskError(failure)).not.toBeInstanceOf(Special);
    expect(new Special(failure)).toBeInstanceOf(TaskError);
    expect(null).not.toBeInstanceOf(TaskError);
  });
});

describe('readWireException', () => {
  test('reads none where Celery reads None, and old messages that are no array', () => {
    expect(readWireException(null)).toBeNull();
    expect(readWireException({})).toBeNull();
    expect(readWireException({ exc_type: 'E', exc_message: 'boom' })).toEqual({
      exc_type: 'E',
      exc_message: ['boom'],
      exc_module: null,
    });
    expect(readWireException({ exc_type: 'E' })).toEqual({ exc_type: 'E', exc_message: [], exc_module: null });
  });

  test.each(['text', 5, [], { exc_message: [] }, { exc_type: 5 }, { exc_type: '' }])('refuses %j', (stored) => {
    expect(() => readWireException(stored)).toThrow(DecodeError);
  });
});

test('exceptionRepr prints the last part of the name and Python’s repr of the arguments', () => {
  expect(exceptionRepr({ exc_type: 'Outer.Inner', exc_message: ["it's", 1, null, true], exc_module: null })).toBe(
    `Inner("it's", 1, None, True)`,
  );
  expect(exceptionRepr({ exc_type: 'E', exc_message: [], exc_module: null })).toBe('E()');
});

describe('the traceback', () => {
  test('has the last call last, and ends with class and text', () => {
    const error = new TypeError('bad\n    at not a frame');
    error.stack = [
      'TypeError: bad',
      '    at not a frame',
      '    at inner (file:///app/my%20tasks.js:10:5)',
      '    at async outer (/app/b.ts:20:7)',
      '    at node:internal/process/task_queues:95:5',
      '    at async Promise.all (index 0)',
      '    at /app/c.js:1:1',
    ].join('\n');
    expect(tracebackText(error)).toBe(
      [
        'Traceback (most recent call last):',
        '  File "/app/c.js", line 1, in <anonymous>',
        '  File "/app/b.ts", line 20, in outer',
        '  File "/app/my tasks.js", line 10, in inner',
        'TypeError: bad\n    at not a frame\n',
      ].join('\n'),
    );
  });

  test('names the module of classes that have one, and arguments as Python’s str does', () => {
    expect(tracebackText(Object.assign(new Declared('a', 1), { stack: undefined }))).toBe(
      "proj.errors.Outer.Inner: ('a', 1)\n",
    );
    expect(tracebackText('boom')).toBe('Error: boom\n');
    expect(tracebackText(undefined)).toBe('Error\n');
    expect(tracebackText(hostile)).toBe('Error\n');
  });

  test('begins with the causes, however they are tangled', () => {
    const cause = new Error('first');
    const error = new Error('second', { cause });
    cause.cause = error;
    const text = tracebackText(error);
    expect(text.indexOf('Error: first')).toBeLessThan(text.indexOf('direct cause of the following exception'));
    expect(text.match(/Error: (first|second)/g)).toEqual(['Error: first', 'Error: second']);
  });

  test('tells where a real error came from', () => {
    function thrower(): never {
      throw new Error('here');
    }
    expect.assertions(1);
    try {
      thrower();
    } catch (error) {
      expect(tracebackText(error)).toMatch(/File ".*exceptions\.test\.ts", line \d+, in thrower\nError: here\n$/);
    }
  });
});
