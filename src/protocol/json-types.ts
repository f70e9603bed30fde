/**
 * kombu's typed JSON objects, {"__type__": T, "__value__": V}. Counterpart: kombu/utils/json.py (register_type), 5.6.2.
 * A value is as lenient here as the Python constructor that kombu hands it to, and no more.
 */
import { isUtf8 } from 'node:buffer';
import { types } from 'node:util';
import { DecodeError, EncodeError } from '../errors.ts';
import { decodeBase64, isWellFormed, toBuffer } from './bytes.ts';
import { dateIsoformat, DateTime, Decimal, PlainDate, PlainTime, Uuid } from './typed-values.ts';

/** The type name and value of an object that kombu marks, or null for any other object. */
export function encodeTyped(value: object): { type: string; value: string | { hex: string } } | null {
  if (types.isDate(value)) {
    const text = dateIsoformat(value);
    if (text === null) throw new EncodeError('cannot encode a Date that is invalid or outside the years 1 to 9999');
    return { type: 'datetime', value: text };
  }
  if (types.isUint8Array(value)) {
    const bytes = toBuffer(value);
    return isUtf8(bytes)
      ? { type: 'bytes', value: bytes.toString('utf8') }
      : { type: 'base64', value: bytes.toString('base64') };
  }
  if (value instanceof Uuid) return { type: 'uuid', value: { hex: value.hex } };
  if (value instanceof Decimal) return { type: 'decimal', value: value.toString() };
  if (value instanceof PlainDate) return { type: 'date', value: value.toString() };
  if (value instanceof PlainTime) return { type: 'time', value: value.toString() };
  return null;
}

function text(type: string, value: unknown): string {
  if (typeof value !== 'string') throw new DecodeError(`__value__ of type ${type} must be a string`);
  return value;
}

function decodeUuid(value: unknown): Uuid {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const [name, content] = (entries.length === 1 ? entries[0] : undefined) ?? [];
  if (name === 'hex' && typeof content === 'string') return new Uuid(content);
  if (name === 'int' && (typeof content === 'number' || typeof content === 'bigint')) return Uuid.fromInt(content);
  throw new DecodeError('__value__ of type uuid must be an object with one key, "hex" or "int"');
}

function decodeDecimal(value: unknown): Decimal {
  if (typeof value === 'boolean') return new Decimal(value ? '1' : '0'); // bool is an int in Python
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return new Decimal(value);
  throw new DecodeError('__value__ of type decimal must be a string or a number');
}

/** The value of a marked object. @throws DecodeError on an unknown type or a value that the type does not take */
export function decodeTyped(type: unknown, value: unknown): unknown {
  switch (type) {
    case 'datetime':
      return new DateTime(text(type, value));
    case 'date':
      return PlainDate.from(text(type, value));
    case 'time':
      return new PlainTime(text(type, value));
    case 'decimal':
      return decodeDecimal(value);
    case 'uuid':
      return decodeUuid(value);
    case 'bytes': {
      const content = text(type, value);
      if (!isWellFormed(content)) throw new DecodeError('__value__ of type bytes holds a lone surrogate');
      return Buffer.from(content, 'utf8');
    }
    case 'base64':
      return decodeBase64(text(type, value));
    default: {
      const shown = typeof type === 'string' ? JSON.stringify(type.slice(0, 80)) : `a ${typeof type}`;
      throw new DecodeError(`unknown __type__ ${shown} (known: datetime, date, time, decimal, uuid, bytes, base64)`);
    }
  }
}
