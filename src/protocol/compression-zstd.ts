/**
 * zstd, by node:zlib where Node has it (from 22.15), else by WebAssembly. The frame must declare the size of its
 * content, as Python's zstandard writes it and kombu needs it to read: it is checked before a byte is decoded.
 */
import zlib from 'node:zlib';
import { DecodeError } from '../errors.ts';

interface NativeZstd {
  zstdCompressSync(data: Buffer, options: { pledgedSrcSize: number }): Buffer;
  zstdDecompressSync(data: Buffer, options: { maxOutputLength: number }): Buffer;
}

interface Codec {
  compress(data: Buffer): Uint8Array;
  decompress(data: Buffer, size: number): Uint8Array;
}

const MAGIC = 0xfd2fb528;

function nativeCodec(): Codec | null {
  const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as Partial<NativeZstd>;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return null;
  return {
    // Without the pledge Node leaves the size out of the frame, and Python cannot read it.
    compress: (data) => zstdCompressSync(data, { pledgedSrcSize: data.length }),
    decompress: (data, size) => zstdDecompressSync(data, { maxOutputLength: Math.max(size, 1) }),
  };
}

async function wasmCodec(): Promise<Codec> {
  const zstd = await import('@bokuweb/zstd-wasm');
  await zstd.init();
  return { compress: (data) => zstd.compress(data), decompress: (data) => zstd.decompress(data) };
}

let codec: Promise<Codec> | undefined;

/** One codec for the process; a failed start is tried again next time. */
function loadCodec(): Promise<Codec> {
  codec ??= Promise.resolve(nativeCodec() ?? wasmCodec()).catch((error: unknown) => {
    codec = undefined;
    throw error;
  });
  return codec;
}

/** The content size that the first frame declares (RFC 8878, 3.1.1.1). */
function declaredSizeOf(data: Buffer): number {
  if (data.length < 6 || data.readUInt32LE(0) !== MAGIC) throw new DecodeError('the content is no zstd frame');
  const descriptor = data[4] ?? 0;
  const sizeFlag = descriptor >> 6;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if (sizeFlag === 0 && !isSingleSegment) throw new DecodeError('the zstd frame does not declare its content size');
  const at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 0x03] ?? 0);
  const bytes = 1 << sizeFlag;
  if (data.length < at + bytes) throw new DecodeError('zstd content ends too early');
  if (bytes === 8) return Number(data.readBigUInt64LE(at));
  return data.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}

export async function zstdCompress(data: Buffer): Promise<Buffer> {
  return asBuffer((await loadCodec()).compress(data));
}

/** Rejects with DecodeError beyond the limit, or with the codec's own error on corrupt data. */
export async function zstdDecompress(data: Buffer, maxBytes: number): Promise<Buffer> {
  const size = declaredSizeOf(data);
  if (size > maxBytes) throw new DecodeError(`zstd content decompresses to more than ${maxBytes} bytes`);
  const content = (await loadCodec()).decompress(data, size);
  // Node gives what it has of a frame cut short, without an error.
  if (content.length !== size) throw new DecodeError('zstd content is not of the size that its frame declares');
  return asBuffer(content);
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
