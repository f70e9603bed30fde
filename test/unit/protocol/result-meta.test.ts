import { describe, expect, test } from '@jest/globals';
import { ContentDisallowedError, DecodeError, EncodeError } from '../../../src/errors.ts';
import { decodeMeta, encodeMeta, resultTuple, type ResultRecord } from '../../../src/protocol/result-meta.ts';

const NOW = Date.UTC(2026, 0, 2) + 0.5;
const encode = (changes: Partial<ResultRecord>): string =>
  String(encodeMeta({ taskId: 'i', state: 'SUCCESS', result: 3, ...changes }, 'json', NOW));

describe('encodeMeta', () => {
  test('writes Python’s keys in Python’s order', () => {
    expect(encode({ groupId: 'g', parentId: 'p' })).toBe(
      '{"status": "SUCCESS", "result": 3, "traceback": null, "children": [], ' +
        '"date_done": "2026-01-02T00:00:00.000500+00:00", "group_id": "g", "parent_id": "p", "task_id": "i"}',
    );
  });

  test('dates ready states only, and leaves ids out that are none', () => {
    expect(encode({ state: 'PROGRESS', groupId: null, parentId: '' })).toBe(
      '{"status": "PROGRESS", "result": 3, "traceback": null, "children": [], "date_done": null, "task_id": "i"}',
    );
    expect(encode({ state: 'REVOKED', children: null })).toContain('"children": null, "date_done": "2026');
    expect(encode({ dateDone: null })).toContain('"date_done": null');
  });

  test('adds the extended fields before the task id, stamps as keys of their own', () => {
    const extended = { name: 't', args: [1], kwargs: {}, worker: 'w@h', retries: 0, queue: 'q' };
    const plain =
      '"name": "t", "args": [1], "kwargs": {}, "worker": "w@h", "retries": 0, "queue": "q", "task_id": "i"}';
    expect(encode({ extended })).toContain(plain);
    expect(encode({ extended: { ...extended, stampedHeaders: null, stamps: {} } })).toContain(plain);
    expect(encode({ extended: { ...extended, stampedHeaders: ['a'], stamps: { a: 1 } } })).toContain(
      '"queue": "q", "stamped_headers": ["a"], "a": 1, "task_id": "i"}',
    );
  });

  test('stores undefined as null and refuses what is no data', () => {
    expect(encode({ result: undefined })).toContain('"result": null');
    expect(() => encode({ result: new Set() })).toThrow(EncodeError);
  });
});

describe('decodeMeta', () => {
  test('gives back what was stored, whatever the serializer', () => {
    const record: ResultRecord = {
      taskId: 'i',
      state: 'FAILURE',
      result: { exc_type: 'E' },
      traceback: 'tb',
      children: null,
    };
    for (const serializer of ['json', 'msgpack', 'yaml']) {
      expect(decodeMeta(encodeMeta(record, serializer, NOW), { serializer })).toEqual({
        taskId: 'i',
        status: 'FAILURE',
        result: { exc_type: 'E' },
        traceback: 'tb',
        children: null,
        dateDone: '2026-01-02T00:00:00.000500+00:00',
        groupId: null,
        parentId: null,
        extra: {},
      });
    }
  });

  test('keeps unknown keys, __proto__ included, and reads missing ones as null', () => {
    const meta = decodeMeta('{"status": "SUCCESS", "name": "t", "__proto__": {"task_id": "x"}}');
    expect(meta).toMatchObject({ status: 'SUCCESS', result: null, taskId: null });
    expect(Object.keys(meta.extra)).toEqual(['name', '__proto__']);
  });

  test.each(['', 'x', '[]', '1', 'null', '{}', '{"status": 1}'])('refuses %j with a DecodeError', (text) => {
    expect(() => decodeMeta(text)).toThrow(DecodeError);
  });

  test('refuses a serializer that is not accepted', () => {
    expect(() => decodeMeta('{}', { serializer: 'yaml', accept: new Set(['application/json']) })).toThrow(
      ContentDisallowedError,
    );
  });
});

test('result tuples nest parents and children as Celery’s do', () => {
  expect(resultTuple('i')).toEqual([['i', null], null]);
  expect(resultTuple('g', resultTuple('p'), [resultTuple('a')])).toEqual([
    ['g', [['p', null], null]],
    [[['a', null], null]],
  ]);
  expect(resultTuple('g', null, [])).toEqual([['g', null], []]);
});
