import { afterEach, expect, test } from '@jest/globals';
import { setUpLogging } from '../../../src/cli/logging-signals.ts';
import type { RootLogger } from '../../../src/log.ts';
import { signals } from '../../../src/signals/signals.ts';
import { keepingLogger } from '../../support/quiet-logger.ts';

const OPTIONS = { loglevel: 'info', logfile: null, format: '%(message)s', colorize: false };
let off: (() => boolean)[] = [];

afterEach(() => {
  for (const disconnect of off) disconnect();
  off = [];
});

function own(lines: string[] = []): RootLogger {
  return Object.assign(keepingLogger(lines), { setLevel: () => undefined, close: () => Promise.resolve() });
}

test('without receivers the logger is made, and nobody is asked', async () => {
  const made = own();
  expect(await setUpLogging(OPTIONS, () => made)).toBe(made);
});

test('afterSetupLogger gets the logger and how it was set up, and is waited for', async () => {
  const made = own();
  const seen: unknown[] = [];
  off.push(
    signals.afterSetupLogger.connect(async (payload) => {
      await Promise.resolve();
      seen.push(payload);
    }),
  );
  await setUpLogging(OPTIONS, () => made);
  expect(seen).toEqual([{ ...OPTIONS, sender: null, logger: made }]);
});

test('a logger that a receiver of setupLogging returns takes the place of ours, which is never made', async () => {
  const lines: string[] = [];
  const brought = keepingLogger(lines);
  const calls: unknown[] = [];
  off.push(
    signals.setupLogging.connect(({ loglevel }) => {
      calls.push(loglevel);
      return brought;
    }),
    signals.afterSetupLogger.connect(() => calls.push('after')),
  );
  const logger = await setUpLogging(OPTIONS, () => {
    throw new Error('made');
  });
  logger.warn('hello');
  expect(lines).toEqual(['WARNING hello']);
  expect(calls).toEqual(['info']);
  await logger.close();
});

test.each([['nothing', undefined] as const, ['no logger', { info: 1 }] as const])(
  'a receiver that returns %s leaves the choice to us',
  async (_, returned) => {
    const made = own();
    off.push(signals.setupLogging.connect(() => returned));
    expect(await setUpLogging(OPTIONS, () => made)).toBe(made);
  },
);

test('a receiver that throws is told of in the log that was set up in spite of it', async () => {
  const lines: string[] = [];
  off.push(
    signals.setupLogging.connect(function formatter() {
      throw new RangeError('bad');
    }),
  );
  await setUpLogging(OPTIONS, () => own(lines));
  expect(lines).toEqual(['ERROR The receiver formatter of the signal setupLogging failed: RangeError: bad']);
});
