/** Collects what a decoder gives out, up to a limit; memory grows with what came, never by what was promised. */
import { DecodeError } from '../errors.ts';

const FIRST_SIZE = 16 * 1024;

export class BoundedOutput {
  readonly #maxBytes: number;
  #buffer: Buffer;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#buffer = Buffer.allocUnsafe(Math.min(FIRST_SIZE, maxBytes));
  }

  /** @throws DecodeError beyond the limit */
  writeByte(byte: number): void {
    if (this.#length === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  /** @throws DecodeError beyond the limit */
  write(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #grow(by: number): void {
    const needed = this.#length + by;
    if (needed > this.#maxBytes) throw new DecodeError(`content decompresses to more than ${this.#maxBytes} bytes`);
    const larger = Buffer.allocUnsafe(Math.min(Math.max(needed, this.#buffer.length * 2), this.#maxBytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  toBuffer(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
