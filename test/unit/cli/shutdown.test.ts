/** The table of signals; what Celery 5.6.3 says and ends with was looked up with real workers. */
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { stopOnSignals } from '../../../src/cli/shutdown.ts';

const HIT_COLD = 'worker: Hitting Ctrl+C again will initiate cold shutdown, terminating all running tasks!';
const WARM = 'worker: Warm shutdown (MainProcess)';
const HIT_END = 'worker: Hitting Ctrl+C again will terminate all running tasks!';
const COLD = 'worker: Cold shutdown (MainProcess)';
const GRACE = 'Waiting gracefully for cold shutdown to complete...';

function stage(softTimeoutSeconds = 0, env: NodeJS.ProcessEnv = {}) {
  const signals = new EventEmitter();
  const said: string[] = [];
  const modes: string[] = [];
  const codes: number[] = [];
  let finish: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (finish = resolve));
  stopOnSignals({
    worker: {
      stop: (mode, signal) => {
        modes.push(`${mode} ${signal}`);
        return stopped;
      },
    },
    softTimeoutSeconds,
    say: (sentence) => said.push(sentence),
    exit: (code) => codes.push(code),
    env,
    signals,
  });
  return { signals, said, modes, codes, finish };
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('signals', () => {
  test.each([
    ['TERM', ['SIGTERM'], 0, {}, ['warm SIGTERM'], [WARM], 0],
    ['TERM again changes nothing', ['SIGTERM', 'SIGTERM'], 0, {}, ['warm SIGTERM'], [WARM, WARM], 0],
    ['INT', ['SIGINT'], 0, {}, ['warm SIGINT'], [HIT_COLD, WARM], 1],
    ['INT twice', ['SIGINT', 'SIGINT'], 0, {}, ['warm SIGINT', 'cold SIGINT'], [HIT_COLD, WARM, HIT_END], 1],
    ['QUIT', ['SIGQUIT'], 0, {}, ['cold SIGQUIT'], [HIT_END, COLD], 0],
    ['TERM, then QUIT', ['SIGTERM', 'SIGQUIT'], 0, {}, ['warm SIGTERM', 'cold SIGQUIT'], [WARM, HIT_END, COLD], 0],
    ['QUIT with a soft timeout', ['SIGQUIT'], 5, {}, ['soft SIGQUIT'], [HIT_END, COLD], 0],
    [
      'QUIT in the soft time',
      ['SIGQUIT', 'SIGQUIT'],
      5,
      {},
      ['soft SIGQUIT', 'cold SIGQUIT'],
      [HIT_END, COLD, GRACE],
      0,
    ],
    ['TERM as QUIT', ['SIGTERM'], 0, { REMAP_SIGTERM: 'SIGQUIT' }, ['cold SIGTERM'], [HIT_END, COLD], 0],
    ['HUP', ['SIGHUP'], 0, {}, ['warm SIGHUP'], [WARM], 0],
  ])('%s', async (_what, sent, soft, env, modes, said, code) => {
    const stopping = stage(soft, env);
    for (const signal of sent) stopping.signals.emit(signal);
    expect([stopping.modes, stopping.said, stopping.codes]).toEqual([modes, said, []]);
    stopping.finish();
    await Promise.resolve();
    await Promise.resolve();
    expect(stopping.codes[0]).toBe(code);
  });

  test('a third QUIT ends the process', () => {
    const { signals, codes } = stage();
    for (let i = 0; i < 3; i++) signals.emit('SIGQUIT');
    expect(codes).toEqual([1]);
  });

  test('a cold stop that hangs is cut off, after the soft time', () => {
    const { signals, codes } = stage(5);
    signals.emit('SIGQUIT');
    jest.advanceTimersByTime(14_900);
    expect(codes).toEqual([]);
    jest.advanceTimersByTime(200);
    expect(codes).toEqual([1]);
  });
});
