/**
 * Reads msgpack as Python's unpackb(raw=False, strict_map_key=True) does.
 * Our own, though msgpackr could read too: msgpackr trusts the sizes in the bytes, renames the key `__proto__`, and
 * builds regular expressions, errors and record classes out of extensions that no Python writes.
 * A size is never believed before as many bytes are there.
 */
import { DecodeError } from '../errors.ts';
import { decodeUtf8 } from './bytes.ts';
import { MAX_DEPTH } from './encodable.ts';
import { setOwn } from './own-property.ts';
import { narrowInt } from './python-number.ts';

const TIMESTAMP_EXTENSION = -1;

class MsgpackReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  read(): unknown {
    const value = this.#value(1);
    if (this.#at !== this.#data.length) this.#fail(`${this.#data.length - this.#at} bytes follow the value`);
    return value;
  }

  #fail(reason: string): never {
    throw new DecodeError(`invalid msgpack at byte ${this.#at}: ${reason}`);
  }

  /** Moves past `size` bytes and returns where they began. */
  #take(size: number): number {
    const start = this.#at;
    if (size > this.#data.length - start) this.#fail('it ends too early');
    this.#at += size;
    return start;
  }

  #uint(size: 1 | 2 | 4): number {
    return this.#data.readUIntBE(this.#take(size), size);
  }

  #value(depth: number): unknown {
    const code = this.#data[this.#take(1)] ?? 0;
    if (code <= 0x7f) return code;
    if (code <= 0x8f) return this.#map(code & 0x0f, depth);
    if (code <= 0x9f) return this.#array(code & 0x0f, depth);
    if (code <= 0xbf) return this.#string(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#bytes(this.#uint(1));
      case 0xc5:
        return this.#bytes(this.#uint(2));
      case 0xc6:
        return this.#bytes(this.#uint(4));
      case 0xc7:
        return this.#extension(this.#uint(1));
      case 0xc8:
        return this.#extension(this.#uint(2));
      case 0xc9:
        return this.#extension(this.#uint(4));
      case 0xca:
        return this.#data.readFloatBE(this.#take(4));
      case 0xcb:
        return this.#data.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#uint(1);
      case 0xcd:
        return this.#uint(2);
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return narrowInt(this.#data.readBigUInt64BE(this.#take(8)));
      case 0xd0:
        return this.#data.readInt8(this.#take(1));
      case 0xd1:
        return this.#data.readInt16BE(this.#take(2));
      case 0xd2:
        return this.#data.readInt32BE(this.#take(4));
      case 0xd3:
        return narrowInt(this.#data.readBigInt64BE(this.#take(8)));
      case 0xd9:
        return this.#string(this.#uint(1));
      case 0xda:
        return this.#string(this.#uint(2));
      case 0xdb:
        return this.#string(this.#uint(4));
      case 0xdc:
        return this.#array(this.#uint(2), depth);
      case 0xdd:
        return this.#array(this.#uint(4), depth);
      case 0xde:
        return this.#map(this.#uint(2), depth);
      case 0xdf:
        return this.#map(this.#uint(4), depth);
      default:
        if (code >= 0xd4 && code <= 0xd8) return this.#extension(1 << (code - 0xd4));
        return this.#fail(`the code 0x${code.toString(16)} is not used`);
    }
  }

  #string(size: number): string {
    const start = this.#take(size);
    return decodeUtf8(this.#data.subarray(start, this.#at));
  }

  /** A copy, so that the value does not keep the whole message in memory. */
  #bytes(size: number): Buffer {
    const start = this.#take(size);
    return Buffer.from(this.#data.subarray(start, this.#at));
  }

  #extension(size: number): Date {
    const type = this.#data.readInt8(this.#take(1));
    const start = this.#take(size);
    if (type !== TIMESTAMP_EXTENSION) this.#fail(`extension type ${type} is not known`);
    let seconds: number;
    let nanoseconds = 0;
    if (size === 4) {
      seconds = this.#data.readUInt32BE(start);
    } else if (size === 8) {
      nanoseconds = this.#data.readUInt32BE(start) >>> 2;
      seconds = (this.#data.readUInt32BE(start) & 0x3) * 0x1_0000_0000 + this.#data.readUInt32BE(start + 4);
    } else if (size === 12) {
      nanoseconds = this.#data.readUInt32BE(start);
      seconds = Number(this.#data.readBigInt64BE(start + 4));
    } else {
      return this.#fail(`a timestamp has no ${size} bytes`);
    }
    const date = new Date(seconds * 1000 + Math.floor(nanoseconds / 1_000_000));
    if (Number.isNaN(date.getTime())) this.#fail('the timestamp is out of range');
    return date;
  }

  #enter(count: number, bytesEach: number, depth: number): void {
    if (depth > MAX_DEPTH) this.#fail(`it is nested more than ${MAX_DEPTH} levels deep`);
    if (count * bytesEach > this.#data.length - this.#at) this.#fail('it ends too early');
  }

  #array(count: number, depth: number): unknown[] {
    this.#enter(count, 1, depth);
    const items: unknown[] = [];
    for (let index = 0; index < count; index += 1) items.push(this.#value(depth + 1));
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    this.#enter(count, 2, depth);
    const object: Record<string, unknown> = {};
    for (let index = 0; index < count; index += 1) {
      const key = this.#value(depth + 1);
      if (typeof key !== 'string') this.#fail('a key is not a string');
      setOwn(object, key, this.#value(depth + 1));
    }
    return object;
  }
}

/** @throws DecodeError */
export function unpackMsgpack(data: Buffer): unknown {
  return new MsgpackReader(data).read();
}
