import { expect, test } from '@jest/globals';
import type { Outcome } from '../../../src/tasks/outcome.ts';
import { Dispatcher } from '../../../src/worker/dispatcher.ts';
import type { Pool } from '../../../src/worker/pool/pool.ts';
import type { Request } from '../../../src/worker/request.ts';
import { WorkerState } from '../../../src/worker/state.ts';
import { makeRequest } from './requests.ts';

const DONE: Outcome = { kind: 'success', value: 1, runtimeSeconds: 0 };

interface Rig {
  readonly dispatcher: Dispatcher;
  readonly settled: Request[];
  readonly finish: (() => void)[];
  limited: number;
}

function rig(concurrency: number, prefetchCount: number): Rig {
  const settled: Request[] = [];
  const finish: (() => void)[] = [];
  const state: Rig = { settled, finish, limited: 0, dispatcher: undefined as unknown as Dispatcher };
  const pool: Pool = {
    name: 'fake',
    concurrency,
    start: async () => undefined,
    run: () => new Promise((resolve) => finish.push(() => resolve(DONE))),
    finish: async () => null,
    abort: () => false,
    stop: async () => undefined,
  };
  const dispatcher = new Dispatcher({
    state: new WorkerState({}),
    pool,
    prefetchCount,
    limited: () => state.limited,
    accept: () => true,
    settle: async (request) => void settled.push(request),
    failed: () => undefined,
    done: () => undefined,
    changed: () => undefined,
  });
  return Object.assign(state, { dispatcher });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('requests that wait for their rate take prefetch, not slots', () => {
  const subject = rig(2, 8);
  expect(subject.dispatcher.demand()).toEqual({ free: 2, room: 6, ahead: 0 });
  subject.limited = 3;
  expect(subject.dispatcher.demand()).toEqual({ free: 2, room: 3, ahead: 3 });
  subject.limited = 7;
  expect(subject.dispatcher.demand()).toMatchObject({ free: 1, room: 0 });
  subject.limited = 8;
  expect(subject.dispatcher.demand()).toMatchObject({ free: 0, room: 0 });
});

test('without a prefetch limit there is one all the same for what waits', () => {
  const subject = rig(2, Infinity);
  subject.limited = 20_000;
  expect(subject.dispatcher.demand()).toMatchObject({ free: 0, room: 0 });
});

test('abandoned, it settles nothing more', async () => {
  const subject = rig(2, 8);
  subject.dispatcher.reserve(makeRequest().request);
  subject.dispatcher.reserve(makeRequest().request);
  subject.finish[0]?.();
  await turn();
  expect(subject.settled).toHaveLength(1);
  subject.dispatcher.abandon();
  subject.finish[1]?.();
  await turn();
  expect(subject.settled).toHaveLength(1);
  subject.dispatcher.reserve(makeRequest().request);
  expect(subject.finish).toHaveLength(2);
});
