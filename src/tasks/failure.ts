/**
 * Thrown values as data: what a failure's outcome says of them, made where the error still is itself, because only data
 * crosses the border of a process. Name, module and arguments are protocol/error-identity.ts's to tell.
 * Invariant: nothing here throws, whatever was thrown at it.
 */
import { type ErrorIdentity, identifyError, JS_ERROR_MODULE } from '../protocol/error-identity.ts';
import { pyRepr } from '../protocol/python-repr.ts';

/** Names a kind of error: its class (subclasses count), or the name of the Python exception it is stored as. */
export type ErrorKind = string | (abstract new (...args: never[]) => unknown);

/**
 * An error's identity with arguments that are JSON, each other one replaced by its repr, as Celery stores it
 * (celery/utils/serialization.py, ensure_serializable).
 */
export function describeError(thrown: unknown): ErrorIdentity {
  const { excType, excModule, excArgs } = identify(thrown);
  return { excType, excModule, excArgs: Array.from(excArgs, (arg) => (isPlainData(arg, 0) ? arg : pyRepr(arg))) };
}

/** A proxy may throw at any question, that for its prototype too. */
function identify(thrown: unknown): ErrorIdentity {
  try {
    return identifyError(thrown);
  } catch {
    return { excType: 'Error', excModule: JS_ERROR_MODULE, excArgs: [] };
  }
}

const deepest = 32;

/** Depth takes care of cycles too: what contains itself is deeper than any limit. */
function isPlainData(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth >= deepest) return false;
  try {
    if (Array.isArray(value)) return value.every((item) => isPlainData(item, depth + 1));
    const prototype: unknown = Object.getPrototypeOf(value);
    if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value) return false;
    return Object.values(value).every((item) => isPlainData(item, depth + 1));
  } catch {
    return false; // a getter threw
  }
}

/** How many causes of a cause are told. */
const mostCauses = 8;

/** The stack of an error and of its causes, as the traceback that is stored; null for values that have none. */
export function tracebackOf(thrown: unknown): string | null {
  const stacks: string[] = [];
  let error: unknown = thrown;
  while (stacks.length <= mostCauses) {
    const stack = readSafely(error, 'stack');
    if (typeof stack !== 'string') break;
    stacks.push(stack);
    error = readSafely(error, 'cause');
  }
  return stacks.length === 0 ? null : stacks.join('\n\nCaused by: ');
}

/** Whether an error is of one of the kinds, as the options `throws` and `autoretryFor` list them. */
export function isOneOf(thrown: unknown, kinds: readonly ErrorKind[]): boolean {
  if (kinds.length === 0) return false;
  const { excType } = identify(thrown);
  try {
    return kinds.some((kind) => (typeof kind === 'string' ? kind === excType : thrown instanceof kind));
  } catch {
    return false; // a proxy hides its prototype
  }
}

/** A property of what may be no object, or one that throws when looked at. */
export function readSafely(value: unknown, property: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return Reflect.get(value, property);
  } catch {
    return undefined;
  }
}
