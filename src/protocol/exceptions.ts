/**
 * Exceptions between JavaScript and the three fields Celery stores: {exc_type, exc_message, exc_module}.
 * Counterpart: prepare_exception and exception_to_python in celery/backends/base.py, 5.6.3.
 * Differs from Celery: reading never imports or calls what a message names; only registered classes are constructed.
 */
import { DecodeError } from '../errors.ts';
import { defaultModule, identifyError, isErrorLike } from './error-identity.ts';
import { dumps } from './json.ts';
import { callRepr, pyRepr, Tuple } from './python-repr.ts';

/** An exception on the wire. Without `exc_type` Python's reader fails. */
export interface WireException {
  /** Qualified class name: `ValueError`, `Outer.InnerError`. */
  exc_type: string;
  /** The constructor's arguments. */
  exc_message: readonly unknown[];
  exc_module: string | null;
}

/** Thrown by task code to choose what Python sees: class, arguments and module. */
export class PythonError extends Error {
  readonly excType: string;
  readonly excArgs: readonly unknown[];
  readonly excModule: string | null;

  /** @param options.module where Python finds the class. @defaultValue `builtins` for Python's built-in exceptions */
  constructor(
    excType: string,
    args: readonly unknown[] = [],
    options: { module?: string | null; cause?: unknown } = {},
  ) {
    super(pyStr(args), 'cause' in options ? { cause: options.cause } : undefined);
    this.name = excType;
    this.excType = excType;
    this.excArgs = [...args];
    this.excModule = options.module === undefined ? defaultModule(excType) : options.module;
  }
}

/** Errors made of a registered class instead of TaskError; `instanceof TaskError` is true of them too. */
const restored = new WeakSet<object>();

/** A task failed elsewhere. Thrown again by a task, it is stored under the same three fields. */
export class TaskError extends Error {
  readonly excType: string;
  readonly excMessage: readonly unknown[];
  readonly excModule: string | null;
  /** Python's traceback, or what another worker made of its own; free text. */
  readonly traceback: string | null;

  constructor(exception: WireException, traceback: string | null = null) {
    const text = pyStr(exception.exc_message);
    super(text === '' ? exception.exc_type : `${exception.exc_type}: ${text}`);
    this.name = 'TaskError';
    this.excType = exception.exc_type;
    this.excMessage = exception.exc_message;
    this.excModule = exception.exc_module;
    this.traceback = traceback;
  }

  get excArgs(): readonly unknown[] {
    return this.excMessage;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this === TaskError && typeof value === 'object' && value !== null && restored.has(value)) return true;
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }
}

export type ErrorClass = abstract new (...args: never[]) => Error;

/** Which JavaScript class stands for which Python class, so that `instanceof` tells remote failures apart. */
export class ErrorRegistry {
  readonly #classes = new Map<string, ErrorClass>();

  /** @param path module and qualified name, `proj.errors.NotFound`; the bare name where the module is null */
  register(path: string, errorClass: ErrorClass): void {
    this.#classes.set(path, errorClass);
  }

  /**
   * The error to throw for a stored exception: of the registered class, constructed with the stored arguments, or a
   * plain TaskError where none is registered or its constructor throws. Either way it has TaskError's four fields.
   */
  restore(exception: WireException, traceback: string | null = null): TaskError {
    const { exc_type, exc_module, exc_message } = exception;
    const errorClass = this.#classes.get(exc_module === null ? exc_type : `${exc_module}.${exc_type}`);
    if (errorClass !== undefined) {
      try {
        const error = Reflect.construct(errorClass as unknown as new (...args: unknown[]) => object, [...exc_message]);
        const fields = {
          excType: exc_type,
          excMessage: exc_message,
          excModule: exc_module,
          excArgs: exc_message,
          traceback,
        };
        for (const [name, value] of Object.entries(fields)) {
          Object.defineProperty(error, name, { value, enumerable: true, configurable: true });
        }
        restored.add(error);
        return error as TaskError;
      } catch {
        // A constructor that does not take these arguments: as Celery does, fall back to the general error.
      }
    }
    return new TaskError(exception, traceback);
  }
}

/**
 * What to store for whatever a task threw. Arguments that cannot be serialised are replaced by their repr, one by one;
 * an error among them always is.
 * @param encode tries to serialise one argument, throws where it cannot. @defaultValue kombu's JSON
 */
export function toWireException(thrown: unknown, encode: (value: unknown) => unknown = dumps): WireException {
  const { excType, excModule, excArgs } = identifyError(thrown);
  return {
    exc_type: excType,
    exc_message: Array.from(excArgs, (arg) => storable(arg, encode)),
    exc_module: excModule,
  };
}

function storable(arg: unknown, encode: (value: unknown) => unknown): unknown {
  if (isErrorLike(arg)) return pyRepr(arg);
  try {
    encode(arg);
    return arg ?? null;
  } catch {
    return pyRepr(arg);
  }
}

/**
 * Reads a stored exception. A message that is no array, as old writers stored it, becomes the only argument.
 * @returns null for null and the empty object, which Celery reads as None (RETRY without an exception)
 * @throws DecodeError when it is something else than an exception
 */
export function readWireException(stored: unknown): WireException | null {
  if (stored === null || stored === undefined) return null;
  if (typeof stored !== 'object' || Array.isArray(stored)) throw new DecodeError('stored exception is no object');
  const fields = stored as Record<string, unknown>;
  if (Object.keys(fields).length === 0) return null;
  const { exc_type: type, exc_message: message, exc_module: module } = fields;
  if (typeof type !== 'string' || type === '') throw new DecodeError('stored exception has no exc_type');
  return {
    exc_type: type,
    exc_message: Array.isArray(message) ? (message as unknown[]) : message === undefined ? [] : [message],
    exc_module: typeof module === 'string' ? module : null,
  };
}

/** As Python's repr prints the exception: `ValueError('a', 1)`. For events and chord errors. */
export function exceptionRepr(exception: WireException): string {
  return callRepr(exception.exc_type.slice(exception.exc_type.lastIndexOf('.') + 1), exception.exc_message);
}

/** As Python's str prints an exception with these arguments. */
export function pyStr(args: readonly unknown[]): string {
  const [only] = args;
  if (args.length === 0) return '';
  if (args.length === 1) return typeof only === 'string' ? only : pyRepr(only);
  return pyRepr(new Tuple(args));
}
