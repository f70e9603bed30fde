/** Codes are a contract: each class has one of its own, and docs/errors.md lists all of them and nothing else. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as errors from '../../src/errors.ts';
import * as predicates from '../../src/tasks/predicates.ts';

const root = join(import.meta.dirname, '..', '..');

/** Class and code as the tables of docs/errors.md have them. */
const documented = [
  ...readFileSync(join(root, 'docs', 'errors.md'), 'utf8').matchAll(/^\| `(\w+)` \| `(CELERIAC_\w+)` \|/gm),
].map(([, name, code]) => [name as string, code as string] as const);

type Maker = new (...args: unknown[]) => errors.CeleriacError;

/** What each class is constructed with; most take a message. */
const ARGUMENTS: Readonly<Record<string, unknown[]>> = {
  RedisReplyError: ['NOPERM', 'text'],
  ValidationError: ['text', []],
  Retry: [{}, 'in 5s'],
  Reject: ['text'],
};

const made = Object.entries({ ...errors, ...predicates }).flatMap(([name, value]) => {
  if (typeof value !== 'function' || !(value.prototype instanceof errors.CeleriacError)) return [];
  if (name === 'TaskPredicate') return [];
  return [[name, new (value as unknown as Maker)(...(ARGUMENTS[name] ?? ['text']))] as const];
});

describe.each(made)('%s', (name, error) => {
  test('is named like its class', () => {
    expect(error.name).toBe(name);
  });

  test('is a CeleriacError with the code that docs/errors.md gives it', () => {
    expect(error).toBeInstanceOf(errors.CeleriacError);
    expect(documented).toContainEqual([name, error.code]);
  });
});

test('docs/errors.md lists every class and code, each once, and nothing else', () => {
  const actual = made.map(([name, error]) => [name, error.code]);
  expect(documented.toSorted()).toEqual(actual.toSorted());
  const codes = actual.map(([, code]) => code);
  expect(new Set(codes).size).toBe(codes.length);
});

test('no code is made anywhere else in src', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const used = files.flatMap((file) =>
    [...readFileSync(join(root, 'src', file), 'utf8').matchAll(/super\(\s*'(CELERIAC_\w+)'/g)].map(([, code]) => code),
  );
  expect(used.toSorted()).toEqual(documented.map(([, code]) => code).toSorted());
});

test('a subclass of a subclass is named like itself and keeps the code', () => {
  class Away extends errors.BackendError {}
  const error = new Away('text', { cause: 'why' });
  expect([error.name, error.code, error.cause]).toEqual(['Away', 'CELERIAC_BACKEND', 'why']);
});
