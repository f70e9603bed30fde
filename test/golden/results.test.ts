import { describe, expect, test } from '@jest/globals';
import { ContentDisallowedError } from '../../src/errors.ts';
import {
  exceptionRepr,
  readWireException,
  TaskError,
  ErrorRegistry,
  toWireException,
} from '../../src/protocol/exceptions.ts';
import { decodeMeta, encodeMeta, type ExtendedMeta, type TaskMeta } from '../../src/protocol/result-meta.ts';
import { EXCEPTION_STATES, READY_STATES } from '../../src/protocol/states.ts';
import { readRecording, type Scenario } from './recordings.ts';

const scenarios = [...readRecording<Scenario>('scenarios'), ...readRecording<Scenario>('scenario-variants')];
/** The recorder shows binary values in base64. */
type Stored = string | { $b64: string };
const metas = scenarios.flatMap(({ scenario, variant = '', worker_conf, steps }) =>
  steps
    .filter(({ cmd, args }) => (cmd === 'SETEX' || cmd === 'SET') && /celery-task-meta-/.test(args?.[0] ?? ''))
    .map(({ args }) => ({
      name: `${variant} ${scenario}`,
      serializer: (worker_conf['result_serializer'] ?? 'json') as string,
      stored: args?.at(-1) as Stored,
    })),
);
const jsonMetas = metas.flatMap(({ name, serializer, stored }) =>
  serializer === 'json' && typeof stored === 'string' ? [{ name, text: stored }] : [],
);
const bytesOf = (stored: Stored): Buffer =>
  typeof stored === 'string' ? Buffer.from(stored) : Buffer.from(stored.$b64, 'base64');

test('the recordings hold metas of every state that is stored', () => {
  expect(jsonMetas.length).toBeGreaterThan(300);
  const states = new Set(jsonMetas.map(({ text }) => decodeMeta(text).status));
  expect([...states].sort()).toEqual(['FAILURE', 'MYSTATE', 'PROGRESS', 'RETRY', 'REVOKED', 'STARTED', 'SUCCESS']);
});

describe('a recorded result meta', () => {
  test('is written again byte for byte', () => {
    for (const { name, text } of jsonMetas) {
      const meta = decodeMeta(text);
      expect([name, encodeMeta(recordOf(meta))]).toEqual([name, text]);
    }
  });

  test('of the serializer msgpack is written again byte for byte', () => {
    const packed = metas.filter((meta) => meta.serializer === 'msgpack');
    expect(packed.length).toBeGreaterThan(1);
    for (const { stored } of packed) {
      const meta = decodeMeta(bytesOf(stored), { serializer: 'msgpack' });
      expect(READY_STATES).toContain(meta.status);
      expect(encodeMeta(recordOf(meta), 'msgpack')).toEqual(bytesOf(stored));
    }
  });

  test('of the serializer yaml is written again with the same values (long lines are not folded)', () => {
    const documents = metas.filter((meta) => meta.serializer === 'yaml');
    expect(documents.length).toBeGreaterThan(1);
    for (const { stored } of documents) {
      const meta = decodeMeta(bytesOf(stored), { serializer: 'yaml' });
      expect(READY_STATES).toContain(meta.status);
      expect(decodeMeta(encodeMeta(recordOf(meta), 'yaml'), { serializer: 'yaml' })).toEqual(meta);
    }
  });

  test('of the serializer pickle is refused', () => {
    const pickled = metas.filter((meta) => meta.serializer === 'pickle');
    expect(pickled.length).toBeGreaterThan(1);
    for (const { stored } of pickled) {
      expect(() => decodeMeta(bytesOf(stored), { serializer: 'pickle' })).toThrow(ContentDisallowedError);
    }
  });

  test('has a date exactly when its state is ready, and an exception exactly in the exception states', () => {
    for (const { name, text } of jsonMetas) {
      const meta = decodeMeta(text);
      expect([name, meta.dateDone !== null]).toEqual([name, READY_STATES.has(meta.status)]);
      if (EXCEPTION_STATES.has(meta.status) && meta.result !== null) {
        expect([name, readWireException(meta.result)]).toEqual([name, meta.result]);
      }
    }
  });

  function recordOf({ taskId, status, extra, ...rest }: TaskMeta): Parameters<typeof encodeMeta>[0] {
    const { name, args, kwargs, worker, retries, queue, stamped_headers: stampedHeaders, ...stamps } = extra;
    const extended = { name, args, kwargs, worker, retries, queue, stampedHeaders, stamps } as ExtendedMeta;
    return { taskId: taskId ?? '', state: status, ...rest, ...(name === undefined ? {} : { extended }) };
  }
});

describe('a recorded exception', () => {
  interface Encoded {
    kind: string;
    label: string;
    python: string;
    encoded: Record<string, unknown>;
  }
  interface Decoded {
    kind: string;
    stored: Record<string, unknown>;
    python: string;
  }
  const recorded = readRecording<Encoded & Decoded>('exceptions');

  // Shown by the recorder with a repr that the stored value does not have.
  const byExtension = new Set(['bytes', 'datetime']);

  test.each(recorded.filter(({ kind, label }) => kind === 'encode' && !byExtension.has(label)))(
    'prints "$label" as Python does and is stored again with the same three fields',
    ({ label, python, encoded }) => {
      const exception = readWireException(encoded);
      if (exception === null) throw new Error('no exception');
      // Python printed what was thrown: an opaque argument or an error without the quotes of its stored repr.
      if (label !== 'opaque' && label !== 'exc_in_args') expect(exceptionRepr(exception)).toBe(python);
      expect(toWireException(new TaskError(exception))).toEqual(encoded);
    },
  );

  test.each(recorded.filter(({ kind }) => kind === 'decode'))(
    'stored as $stored is read as Python reads it',
    ({ stored, python }) => {
      if (python.startsWith('ERROR ValueError')) {
        expect(() => readWireException(stored)).toThrow('stored exception has no exc_type');
        return;
      }
      const exception = readWireException(stored);
      if (exception === null) {
        expect(python).toBe('None');
        return;
      }
      expect(new ErrorRegistry().restore(exception)).toBeInstanceOf(TaskError);
      // Left aside: what Python constructs from a class of its own with other fields, or refuses.
      const ownClass = ['Retry', 'system'].includes(exception.exc_type) || python.startsWith('builtins.Exception');
      if (!ownClass) expect(python.endsWith(`: ${exceptionRepr(exception)}`)).toBe(true);
    },
  );
});
