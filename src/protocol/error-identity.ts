/**
 * Under which name, module and arguments a thrown JavaScript value goes to Python.
 * The class speaks first (static `excType`, `excModule`; instance `excType`, `excModule`, `excArgs`), then its name. The
 * statics are inherited: a subclass that wants a name of its own declares its own.
 */
import { types } from 'node:util';

/** What Python makes an exception of: qualified class name, module, constructor arguments. */
export interface ErrorIdentity {
  excType: string;
  excModule: string | null;
  excArgs: readonly unknown[];
}

/**
 * Module of JavaScript classes that Python has no namesake for. No Python process has loaded one of that name, so a
 * Python reader makes a class `celery.exceptions.<excType>` on the spot; with null it would name it celery.backends.base.
 */
export const JS_ERROR_MODULE = 'celeriac.errors';

const BUILTINS = 'builtins';

/**
 * Python's built-in exceptions that can be made of one message. Not here: those that take other arguments
 * (UnicodeDecodeError, ExceptionGroup ...), and those that end the reader's loop or process (StopIteration, SystemExit,
 * KeyboardInterrupt ...); PythonError can still name them.
 */
const PYTHON_BUILTINS: ReadonlySet<string> = new Set([
  'ArithmeticError',
  'AssertionError',
  'AttributeError',
  'BlockingIOError',
  'BrokenPipeError',
  'BufferError',
  'ChildProcessError',
  'ConnectionAbortedError',
  'ConnectionError',
  'ConnectionRefusedError',
  'ConnectionResetError',
  'EOFError',
  'Exception',
  'FileExistsError',
  'FileNotFoundError',
  'FloatingPointError',
  'IOError',
  'ImportError',
  'IndentationError',
  'IndexError',
  'InterruptedError',
  'IsADirectoryError',
  'KeyError',
  'LookupError',
  'MemoryError',
  'ModuleNotFoundError',
  'NameError',
  'NotADirectoryError',
  'NotImplementedError',
  'OSError',
  'OverflowError',
  'PermissionError',
  'ProcessLookupError',
  'RecursionError',
  'ReferenceError',
  'RuntimeError',
  'SyntaxError',
  'SystemError',
  'TabError',
  'TimeoutError',
  'TypeError',
  'UnboundLocalError',
  'UnicodeError',
  'ValueError',
  'ZeroDivisionError',
]);

/** Names an error class inherits from the language when it sets none. */
const JS_BUILTINS: ReadonlySet<string> = new Set([
  'Error',
  'AggregateError',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
]);

/** The module a class of that name is looked for in when nobody says. */
export function defaultModule(excType: string): string {
  return PYTHON_BUILTINS.has(excType) ? BUILTINS : JS_ERROR_MODULE;
}

/** An Error of any realm, or an object that looks like one. */
export function isErrorLike(value: unknown): value is object & { name: unknown; message: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  if (types.isNativeError(value) || value instanceof Error) return true;
  return typeof read(value, 'message') === 'string' && typeof read(value, 'name') === 'string';
}

/**
 * Name, module and arguments of whatever was thrown. What is no error becomes an `Error` with the value as its argument.
 * Never throws, not even where a property of the value does.
 */
export function identifyError(thrown: unknown): ErrorIdentity {
  if (!isErrorLike(thrown)) {
    return { excType: 'Error', excModule: JS_ERROR_MODULE, excArgs: thrown === undefined ? [] : [thrown] };
  }
  const maker = read(thrown, 'constructor');
  const excType = declared(thrown, maker, 'excType') ?? className(thrown, maker);
  const excModule = declared(thrown, maker, 'excModule');
  return {
    excType,
    excModule: excModule === undefined ? defaultModule(excType) : excModule,
    excArgs: argsOf(thrown),
  };
}

/** null is a declaration too: of "no module". */
function declared(thrown: object, maker: unknown, property: 'excType' | 'excModule'): string | null | undefined {
  for (const holder of [thrown, maker]) {
    const value = read(holder, property);
    if (value === null || (typeof value === 'string' && value !== '')) return value;
  }
  return undefined;
}

function className(thrown: object, maker: unknown): string {
  const name = read(thrown, 'name');
  const makerName = read(maker, 'name');
  const isInherited =
    typeof name !== 'string' || name === '' || (JS_BUILTINS.has(name) && !Object.hasOwn(thrown, 'name'));
  if (isInherited && typeof makerName === 'string' && makerName !== '' && makerName !== 'Object') return makerName;
  return typeof name === 'string' && name !== '' ? name : 'Error';
}

function argsOf(thrown: object): readonly unknown[] {
  const args = read(thrown, 'excArgs');
  if (Array.isArray(args)) return args as unknown[];
  const message = read(thrown, 'message');
  if (message === undefined || message === '') return [];
  return [message];
}

function read(holder: unknown, property: string): unknown {
  if ((typeof holder !== 'object' && typeof holder !== 'function') || holder === null) return undefined;
  try {
    return (holder as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}
