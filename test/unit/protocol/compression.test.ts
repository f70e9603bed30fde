/** Compression against streams that Python's libraries wrote (test/fixtures/python). */
import zlib from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { DecodeError, EncodeError } from '../../../src/errors.ts';
import { canCompress, compress, decompress } from '../../../src/protocol/compression.ts';
import { crc32 } from '../../support/crc32.ts';
import { readTable } from '../../support/recorded.ts';

const LIMIT = 10_000_000;

interface Row {
  label: string;
  name: string;
  size: number;
  crc32: number;
  data: string;
}
const rows = readTable<Row>('compression.jsonl');
const bombs = readTable<{ name: string; size: number; data: string }>('bombs.jsonl');
const bytesOf = (row: { data: string }): Buffer => Buffer.from(row.data, 'base64');

describe('decompress', () => {
  test.each(rows)('reads $label as Python wrote it', async (row) => {
    const data = await decompress(bytesOf(row), row.name, LIMIT);
    expect(data.length).toBe(row.size);
    expect(crc32(data)).toBe(row.crc32);
  });

  test.each(rows.filter((row) => row.size > 0))('refuses $label cut short', async (row) => {
    const isIgnorable = row.label.startsWith('bzip2 before garbage') || row.label.startsWith('bzip2 of two');
    const cut = bytesOf(row).subarray(0, isIgnorable ? 40 : -4);
    await expect(async () => decompress(cut, row.name, LIMIT)).rejects.toThrow(DecodeError);
  });

  test.each(['gzip', 'bzip2', 'lzma', 'brotli', 'zstd'])('refuses what is no %s', async (name) => {
    for (const data of [
      Buffer.alloc(0),
      Buffer.from('no such thing at all'),
      Buffer.alloc(100),
      Buffer.alloc(100, 0xff),
    ]) {
      await expect(async () => decompress(data, name, LIMIT)).rejects.toThrow(DecodeError);
    }
  });

  test.each(bombs)('stops a $name bomb of $size bytes at the limit', async (bomb) => {
    const data = bytesOf(bomb);
    await expect(async () => decompress(data, bomb.name, bomb.size - 1)).rejects.toThrow(/more than 3999999 bytes/);
    expect((await decompress(data, bomb.name, bomb.size)).length).toBe(bomb.size);
  });

  test('a stopped stream leaves its decoder usable, also by several at once', async () => {
    const bomb = bombs.find(({ name }) => name === 'lzma') ?? bombs[0];
    const good = rows.find(({ label }) => label === 'lzma');
    if (bomb === undefined || good === undefined) throw new Error('no such rows');
    const results = await Promise.allSettled(
      [bomb, good, bomb, { data: 'AAAA' }, good].map(async (row) => decompress(bytesOf(row), 'lzma', 100_000)),
    );
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled']);
  });

  test('a zstd frame that lies about its size is refused', async () => {
    const frame = bytesOf(rows.find(({ label }) => label === 'zstd') ?? { data: '' });
    const liar = Buffer.from(frame);
    liar[5] = (liar[5] ?? 0) ^ 1;
    await expect(async () => decompress(liar, 'zstd', LIMIT)).rejects.toThrow(DecodeError);
    const huge = Buffer.concat([Buffer.from('28b52ffde0', 'hex'), Buffer.alloc(8, 0xff), Buffer.alloc(20)]);
    await expect(async () => decompress(huge, 'zstd', LIMIT)).rejects.toThrow(/more than/);
  });

  test('a zstd frame without its content size is refused, as kombu does', async () => {
    const [row] = readTable<{ data: string; kombu: unknown }>('zstd-sizeless.jsonl');
    expect(row?.kombu).toEqual({ error: 'ZstdError' });
    await expect(async () => decompress(bytesOf(row ?? { data: '' }), 'zstd', LIMIT)).rejects.toThrow(/declare/);
  });

  test('an unknown name is refused, with those that are known', () => {
    expect(() => decompress(Buffer.alloc(0), 'snappy', 1)).toThrow(
      /unknown compression "snappy" \(known: gzip, zlib, /,
    );
    expect(() => decompress(Buffer.alloc(0), '__proto__', 1)).toThrow(DecodeError);
  });
});

describe('compress', () => {
  test('gzip is a zlib stream at once, with the header value kombu uses', () => {
    for (const name of ['gzip', 'zlib', 'application/x-gzip']) {
      const result = compress('héllo', name);
      if (result instanceof Promise) throw new Error('it took its time');
      expect(result.contentType).toBe('application/x-gzip');
      expect(zlib.inflateSync(result.data).toString()).toBe('héllo');
      expect(decompress(result.data, result.contentType, 100)).toEqual(Buffer.from('héllo'));
    }
  });

  test.each(['brotli', 'zstd', 'zstandard', 'application/zstd'])('%s comes back the same', async (name) => {
    const data = Buffer.from('abc'.repeat(10_000));
    const packed = await compress(data, name);
    expect(packed.data.length).toBeLessThan(1000);
    expect(await decompress(packed.data, packed.contentType, LIMIT)).toEqual(data);
  });

  test('bzip2 and lzma can only be read, and say so', () => {
    for (const name of ['bzip2', 'bzip', 'lzma', 'xz', 'application/x-bz2']) {
      expect(canCompress(name)).toBe(false);
      expect(() => compress('x', name)).toThrow(EncodeError);
      expect(() => compress('x', name)).toThrow(/use gzip, brotli or zstd/);
    }
    expect(() => compress('x', 'snappy')).toThrow(EncodeError);
    expect([canCompress('gzip'), canCompress('zstd'), canCompress('snappy')]).toEqual([true, true, false]);
  });
});
