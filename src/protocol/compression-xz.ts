/**
 * Reads xz as Python's lzma writes it. The decoder is WebAssembly and streams in blocks of 64 KB, so its output can be
 * stopped at the limit; it refuses by itself what asks for an oversized dictionary.
 */
import xz from 'xz-decompress';
import { BoundedOutput } from './bounded-output.ts';

/** Rejects with DecodeError beyond the limit, or with the decoder's own error on corrupt data. */
export async function xzDecompress(data: Buffer, maxBytes: number): Promise<Buffer> {
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(data);
      controller.close();
    },
  });
  const reader = new xz.XzReadableStream(source).getReader();
  const output = new BoundedOutput(maxBytes);
  let isDone = false;
  try {
    for (;;) {
      const chunk = await reader.read();
      isDone = chunk.done;
      if (chunk.done) return output.toBuffer();
      output.write(chunk.value);
    }
  } finally {
    // The decoder serves one stream at a time: an abandoned one would make all later ones wait.
    if (!isDone) await reader.cancel().catch(() => undefined);
  }
}
