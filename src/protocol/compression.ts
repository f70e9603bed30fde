/**
 * Message compression by name or mime type. Counterpart: kombu/compression.py, 5.6.2.
 * zlib and brotli answer at once, so that the usual paths stay synchronous; the rest loads its decoder on first use.
 * No decoder gives out more than `maxBytes`, nor allocates far beyond it: zlib and brotli stop by themselves
 * (maxOutputLength), bzip2 and xz are stopped while they stream, zstd by the size its frame declares.
 */
import zlib from 'node:zlib';
import { DecodeError, EncodeError } from '../errors.ts';

export interface Compressed {
  readonly data: Buffer;
  /** What goes into headers.compression. */
  readonly contentType: string;
}

interface Method {
  readonly contentType: string;
  readonly aliases: readonly string[];
  compress(data: Buffer): Buffer | Promise<Buffer>;
  decompress(data: Buffer, maxBytes: number): Buffer | Promise<Buffer>;
}

function decodeOnly(name: string): (data: Buffer) => never {
  return () => {
    throw new EncodeError(`${name} can be read but not written here; use gzip, brotli or zstd`);
  };
}

const METHODS: readonly Method[] = [
  {
    // Neither gzip nor its header: kombu's gzip is Python's zlib, an RFC 1950 stream.
    contentType: 'application/x-gzip',
    aliases: ['gzip', 'zlib'],
    compress: (data) => zlib.deflateSync(data),
    decompress: (data, maxBytes) => zlib.inflateSync(data, { maxOutputLength: maxBytes }),
  },
  {
    contentType: 'application/x-brotli',
    aliases: ['brotli'],
    compress: (data) => zlib.brotliCompressSync(data),
    decompress: (data, maxBytes) => zlib.brotliDecompressSync(data, { maxOutputLength: maxBytes }),
  },
  {
    contentType: 'application/zstd',
    aliases: ['zstd', 'zstandard'],
    compress: async (data) => (await import('./compression-zstd.ts')).zstdCompress(data),
    decompress: async (data, maxBytes) => (await import('./compression-zstd.ts')).zstdDecompress(data, maxBytes),
  },
  {
    contentType: 'application/x-bz2',
    aliases: ['bzip2', 'bzip'],
    compress: decodeOnly('bzip2'),
    decompress: async (data, maxBytes) => (await import('./compression-bzip2.ts')).bzip2Decompress(data, maxBytes),
  },
  {
    contentType: 'application/x-lzma',
    aliases: ['lzma', 'xz'],
    compress: decodeOnly('lzma'),
    decompress: async (data, maxBytes) => (await import('./compression-xz.ts')).xzDecompress(data, maxBytes),
  },
];

const BY_NAME = new Map(
  METHODS.flatMap((method) => [method.contentType, ...method.aliases].map((name) => [name, method])),
);

const known = (): string => METHODS.flatMap((method) => [...method.aliases, method.contentType]).join(', ');

/** Whether messages can be compressed by that name; a setting is checked with it before the first message is sent. */
export function canCompress(name: string): boolean {
  const contentType = BY_NAME.get(name)?.contentType;
  return contentType !== undefined && contentType !== 'application/x-bz2' && contentType !== 'application/x-lzma';
}

/**
 * Compresses a payload by a name (`gzip`, `zlib`, `brotli`, `zstd`, `zstandard`) or mime type.
 * @throws EncodeError on an unknown name and on bzip2 and lzma, which can only be read
 */
export function compress(data: Buffer | string, name: string): Compressed | Promise<Compressed> {
  const method = BY_NAME.get(name);
  if (method === undefined) throw new EncodeError(`unknown compression "${name.slice(0, 80)}" (known: ${known()})`);
  const { contentType } = method;
  const result = method.compress(typeof data === 'string' ? Buffer.from(data, 'utf8') : data);
  return result instanceof Promise
    ? result.then((done) => ({ data: done, contentType }))
    : { data: result, contentType };
}

/**
 * The bytes back. The name may be a mime type, as headers.compression has it, or an alias.
 * @param maxBytes more output than this is refused: a small message must not fill the memory
 * @throws DecodeError (or rejects with it) on an unknown name, on corrupt or truncated data, and beyond the limit
 */
export function decompress(data: Buffer, name: string, maxBytes: number): Buffer | Promise<Buffer> {
  const method = BY_NAME.get(name);
  if (method === undefined) throw new DecodeError(`unknown compression "${name.slice(0, 80)}" (known: ${known()})`);
  const fail = (error: unknown): never => {
    throw toDecodeError(error, method.contentType, maxBytes);
  };
  try {
    const result = method.decompress(data, maxBytes);
    return result instanceof Promise ? result.catch(fail) : result;
  } catch (error) {
    return fail(error);
  }
}

function toDecodeError(error: unknown, contentType: string, maxBytes: number): DecodeError {
  if (error instanceof DecodeError) return error;
  if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
    return new DecodeError(`${contentType} content decompresses to more than ${maxBytes} bytes`);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new DecodeError(`cannot decompress ${contentType}: ${reason}`, { cause: error });
}
