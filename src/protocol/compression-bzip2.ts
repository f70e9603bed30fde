/**
 * Reads bzip2 as Python's bz2.decompress: streams may follow each other, what follows the last is ignored.
 * The decoder is pure JavaScript (some MB a second) and asks for one byte at a time, so its output can be stopped at the
 * limit; besides it holds one block of at most 900,000 symbols, 3.6 MB.
 */
import Bunzip from 'seek-bzip';
import { DecodeError } from '../errors.ts';
import { BoundedOutput } from './bounded-output.ts';

class Input extends Bunzip.Stream {
  readonly #data: Buffer;
  at = 0;

  constructor(data: Buffer) {
    super();
    this.#data = data;
  }

  /** Throws at the end, where the decoder would go on with zeros. */
  override readByte(): number {
    const byte = this.#data[this.at];
    if (byte === undefined) throw new DecodeError('bzip2 content ends too early');
    this.at += 1;
    return byte;
  }
}

class Output extends Bunzip.Stream {
  readonly #output: BoundedOutput;

  constructor(output: BoundedOutput) {
    super();
    this.#output = output;
  }

  override writeByte(byte: number): void {
    this.#output.writeByte(byte);
  }
}

/** @throws DecodeError, or the decoder's own error on corrupt data */
export function bzip2Decompress(data: Buffer, maxBytes: number): Buffer {
  const input = new Input(data);
  const output = new BoundedOutput(maxBytes);
  do {
    Bunzip.decode(input, new Output(output));
  } while (data.toString('latin1', input.at, input.at + 3) === 'BZh');
  return output.toBuffer();
}
