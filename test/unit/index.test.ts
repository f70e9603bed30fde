/** The public surface: a name that comes or goes is a decision, made here and in CHANGELOG.md. */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as index from '../../src/index.ts';

const VALUES = `
  AsyncResult BackendError Broadcast BrokerConnectionError Celeriac CeleriacError Checkpoint ConfigError
  ContentDisallowedError DateTime Decimal DecodeError EagerResult EncodeError Ignore IllegalStateError InvalidTaskError MaxRetriesExceededError
  NotRegisteredError PlainDate PlainTime PythonError Reject Retry SoftTimeLimitExceeded Task TaskContext TaskError TaskHandler
  TaskRevokedError TimeLimitExceeded TimeoutError Uuid ValidationError WorkerShutdownError createLogger currentTask
  defineResource findCurrentTask
  signals
`;

const TYPES = `
  ApplyOptions ConnectOptions EagerApplyOptions ExchangeOptions ExchangeType GetOptions LogFields LogOptions Logger QueueOptions Receiver Resource RetryOptions SendOptions
  Signal SignalPayload TaskHooks TaskLogger TaskOptions TaskRequest WireException WorkerInstance
`;

const names = (text: string): string[] => text.trim().split(/\s+/).toSorted();

test('the package exports these values and no others', () => {
  expect(Object.keys(index).toSorted()).toEqual(names(VALUES));
});

test('the package exports these types and no others', () => {
  const source = readFileSync(join(import.meta.dirname, '..', '..', 'src', 'index.ts'), 'utf8');
  const types = [...source.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, all, list = '']) =>
    list.split(',').flatMap((item) => {
      const [, own, name] = /^\s*(type )?(\w+)\s*$/.exec(item) ?? [];
      return name !== undefined && (all ?? own) !== undefined ? [name] : [];
    }),
  );
  expect(types.toSorted()).toEqual(names(TYPES));
});

test('nothing is exported by star or as default, which would export what nobody decided', () => {
  const source = readFileSync(join(import.meta.dirname, '..', '..', 'src', 'index.ts'), 'utf8');
  expect(source).not.toMatch(/export \*|export default/);
});
