/**
 * kombu's msgpack, both ways. Counterpart: kombu/serialization.py (register_msgpack): packb(use_bin_type=True) and
 * unpackb(raw=False), msgpack 1.x. Written by msgpackr, from a copy made plain first: msgpackr writes undefined as an
 * extension, integers above 32 bits as floats, and lone surrogates as other characters.
 */
import { types } from 'node:util';
import { Packr } from 'msgpackr';
import { isWellFormed } from './bytes.ts';
import { describe, enterObject, Refusal, refuseForeign, toEncodeError } from './encodable.ts';
import { encodeTyped } from './json-types.ts';
import { setOwn } from './own-property.ts';

// A default Packr writes record extensions that Python cannot read.
const packr = new Packr({ useRecords: false, variableMapSize: true });

/**
 * Integers are written as integers up to 64 bits, bytes as bin; `undefined` as in JSON.
 * @throws EncodeError, as Python, on dates, decimals, UUIDs, sets and wider integers
 */
export function packMsgpack(value: unknown): Buffer {
  const ancestors: object[] = [];
  try {
    return packr.pack(toPlain(value, ancestors));
  } catch (error) {
    throw toEncodeError(error, ancestors);
  }
}

function toPlain(value: unknown, ancestors: object[]): unknown {
  switch (typeof value) {
    case 'string':
      if (!isWellFormed(value)) throw new Refusal('a string holds a lone surrogate, which UTF-8 cannot', value);
      return value;
    case 'number':
      return Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -0x8000_0000) ? BigInt(value) : value;
    case 'boolean':
      return value;
    case 'undefined':
      return null;
    case 'bigint':
      if (value >= 1n << 64n || value < -(1n << 63n)) throw new Refusal('msgpack integers have at most 64 bits', value);
      return value;
    case 'object':
      return value === null || types.isUint8Array(value) ? value : toPlainObject(value, ancestors);
    default:
      throw new Refusal(`${describe(value)} is no data`, value);
  }
}

function toPlainObject(value: object, ancestors: object[]): unknown {
  enterObject(value, ancestors);
  const plain: unknown = Array.isArray(value)
    ? Array.from(value, (item: unknown) => toPlain(item, ancestors))
    : toPlainNonArray(value, ancestors);
  ancestors.pop();
  return plain;
}

function toPlainNonArray(value: object, ancestors: object[]): unknown {
  if (encodeTyped(value) !== null) throw new Refusal(`msgpack has no type for ${describe(value)}`, value);
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return toPlain((value as { toJSON(): unknown }).toJSON(), ancestors);
  }
  if (types.isBoxedPrimitive(value)) return toPlain(value.valueOf(), ancestors);
  const isMap = types.isMap(value);
  if (!isMap) refuseForeign(value);
  const plain: Record<string, unknown> = {};
  for (const [key, item] of isMap ? (value as ReadonlyMap<unknown, unknown>) : Object.entries(value)) {
    if (item === undefined) continue;
    // Python's unpackb refuses other keys by default, so what we would write nobody could read.
    if (typeof key !== 'string') throw new Refusal('a msgpack key must be a string', key);
    setOwn(plain, toPlain(key, ancestors) as string, toPlain(item, ancestors));
  }
  return plain;
}
