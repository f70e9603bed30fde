import { describe, expect, test } from '@jest/globals';
import { MemoryKeyValue } from '../../../src/backend/key-value.ts';
import { DecodeError, EncodeError } from '../../../src/errors.ts';
import { Checkpoint, readCheckpoint } from '../../../src/tasks/checkpoint.ts';

describe('a checkpoint', () => {
  test('is JSON of task_name, timestamp and data under checkpoint:<id>', async () => {
    const values = new MemoryKeyValue();
    const checkpoint = new Checkpoint('id-1', 'tasks.long', () => values);
    expect(await checkpoint.load()).toBeNull();
    await checkpoint.save({ last_index: 4 });
    const stored = JSON.parse((await values.get('checkpoint:id-1')) ?? '') as Record<string, unknown>;
    expect(stored).toEqual({ task_name: 'tasks.long', timestamp: expect.any(Number), data: { last_index: 4 } });
    expect(Math.abs((stored['timestamp'] as number) - Date.now() / 1000)).toBeLessThan(5);
    expect(await checkpoint.load()).toEqual({ last_index: 4 });
    await checkpoint.clear();
    expect(await checkpoint.load()).toBeNull();
  });

  test('refuses what is no data', async () => {
    const checkpoint = new Checkpoint('id', 't', () => new MemoryKeyValue());
    await expect(checkpoint.save({ f: () => 1 })).rejects.toThrow(EncodeError);
  });

  test.each([
    ['{"data": {"i": 1}, "timestamp": "2026-01-01T00:00:00.123456", "task_name": "t"}', { i: 1 }],
    ['{"data": null, "timestamp": 5, "task_name": "t"}', null],
    [
      '{"task_id": "i", "task_name": "t", "checkpoint_data": {"current_index": 45, "total_items": 100}, "created_at": "2025-01-28T10:00:00Z", "expires_at": "2999-01-29T10:00:00Z"}',
      { current_index: 45, total_items: 100 },
    ],
    ['{"task_id": "i", "checkpoint_data": {"current_index": 45}, "expires_at": "2025-01-29T10:00:00Z"}', null],
  ])('is read in every shape Python writes: %s', (text, data) => {
    expect(readCheckpoint('checkpoint:i', text)).toEqual(data);
  });

  test.each(['', '{', '5', '[]', 'null', '{"a": 1}'])('that is none is an error that names the key: %j', (text) => {
    expect(() => readCheckpoint('checkpoint:i', text)).toThrow(DecodeError);
    expect(() => readCheckpoint('checkpoint:i', text)).toThrow(/^checkpoint:i holds no checkpoint: .*delete the key/);
  });
});
