/**
 * What JavaScript value may leave as data, the same for every serializer: limits, refusals and the path that an error
 * names. The encoders keep their open containers in `ancestors`, outermost first.
 */
import { types } from 'node:util';
import { EncodeError } from '../errors.ts';
import { isTooLongInt, numberText } from './python-number.ts';

/** Deepest nesting of arrays and objects that is read or written; Python's recursion limit ends not far above. */
export const MAX_DEPTH = 512;

/** Thrown inside encoders only; `toEncodeError` finds the path afterwards, so that it costs nothing while all is well. */
export class Refusal extends Error {
  readonly value: unknown;
  constructor(message: string, value: unknown) {
    super(message);
    this.value = value;
  }
}

/** Opens a container; the encoder pops it when it is done. */
export function enterObject(value: object, ancestors: object[]): void {
  if (ancestors.length >= MAX_DEPTH) throw new Refusal(`it is nested more than ${MAX_DEPTH} levels deep`, value);
  if (ancestors.length > 0 && ancestors.includes(value)) throw new Refusal('it contains itself', value);
  ancestors.push(value);
}

/** What an encoder tells the caller: which part of the value could not be encoded, and why. */
export function toEncodeError(error: unknown, ancestors: readonly object[]): EncodeError {
  const reason = error instanceof Error ? error.message : String(error);
  const message = `cannot encode ${describePath(ancestors, error)}: ${reason}`;
  return error instanceof Refusal ? new EncodeError(message) : new EncodeError(message, { cause: error });
}

/** Python writes None, numbers and booleans as keys by their JSON text. */
export function mapKey(key: unknown): string {
  if (typeof key === 'string') return key;
  if (key === null || typeof key === 'boolean') return String(key);
  if (typeof key === 'number') return numberText(key);
  if (typeof key === 'bigint' && !isTooLongInt(key)) return key.toString();
  throw new Refusal(`a key of a Map must be a string, a number, a boolean or null, not ${describe(key)}`, key);
}

/** Refuses objects that would silently become {} or lose what they are; kombu refuses their like too. */
export function refuseForeign(value: object): void {
  if (Object.getPrototypeOf(value) === Object.prototype) return;
  if (types.isPromise(value)) throw new Refusal('a Promise is no data (is an await missing?)', value);
  if (types.isSet(value)) throw new Refusal('a Set is no JSON; make it an array', value);
  if (
    types.isNativeError(value) ||
    value instanceof Error ||
    types.isRegExp(value) ||
    types.isAnyArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value)
  ) {
    throw new Refusal(`${describe(value)} is no data`, value);
  }
}

/** For error texts: `an object of type Foo`, `a function`. */
export function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  const maker = (value as { constructor?: unknown }).constructor;
  return `an object of type ${typeof maker === 'function' ? maker.name : 'unknown'}`;
}

/** `value.args[0].callback`, as far as the parents tell; `?` where a toJSON or a getter hides the way. */
function describePath(ancestors: readonly object[], error: unknown): string {
  const trail: unknown[] = [...ancestors];
  if (error instanceof Refusal && error.value !== ancestors.at(-1)) trail.push(error.value);
  let path = 'value';
  for (let depth = 0; depth + 1 < trail.length && path.length < 200; depth += 1) {
    try {
      path += stepTo(trail[depth] as object, trail[depth + 1]);
    } catch {
      path += '.?'; // a getter threw
    }
  }
  return path;
}

function stepTo(parent: object, child: unknown): string {
  if (Array.isArray(parent)) return `[${parent.indexOf(child)}]`;
  const entries: Iterable<[unknown, unknown]> = types.isMap(parent) ? parent : Object.entries(parent);
  for (const [key, item] of entries) {
    if (item !== child) continue;
    return typeof key === 'string' && /^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${JSON.stringify(String(key))}]`;
  }
  return '.?';
}
