import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ConfigError } from '../../../src/errors.ts';
import { createLogger, type LogOptions, type RootLogger } from '../../../src/log.ts';
import { asctime, wantsColour } from '../../../src/log/format.ts';

const loggers: RootLogger[] = [];
afterEach(async () => {
  await Promise.all(loggers.splice(0).map((logger) => logger.close()));
});

function logTo(options: LogOptions = {}, isTTY = false): { logger: RootLogger; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const logger = createLogger({ level: 'debug', stream, ...options });
  loggers.push(logger);
  return { logger, text: () => String(stream.read() ?? '') };
}

const STAMP = String.raw`\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`;

describe('format', () => {
  test('lines are written as Celery writes them', () => {
    const { logger, text } = logTo();
    logger.info('Task tasks.add[1] received');
    logger.warn('careful');
    logger.critical('the end');
    expect(text()).toMatch(
      new RegExp(
        `^${STAMP}: INFO/MainProcess\\] Task tasks.add\\[1\\] received\n${STAMP}: WARNING/MainProcess\\] careful\n${STAMP}: CRITICAL/MainProcess\\] the end\n$`,
      ),
    );
  });

  test("a running task's logger writes name and id before the text", () => {
    const { logger, text } = logTo({ processName: 'Worker-3' });
    const task = logger.child({ task_name: 'tasks.add', task_id: 'abc' });
    task.info('half way');
    logger.info('Task x received', { task_name: 'tasks.add', task_id: 'abc' });
    expect(text()).toMatch(
      new RegExp(
        `^${STAMP}: INFO/Worker-3\\] tasks.add\\[abc\\]: half way\n${STAMP}: INFO/Worker-3\\] Task x received\n$`,
      ),
    );
  });

  test('an error follows the line with its stack and its cause', () => {
    const { logger, text } = logTo();
    logger.error('it failed', { error: new Error('outer', { cause: new TypeError('inner') }) });
    expect(text()).toMatch(/it failed\nError: outer\n\s+at .*\nCaused by: TypeError: inner\n/s);
  });

  test('templates in Python style are followed, with widths', () => {
    const { logger, text } = logTo({ format: '%(levelname)-8s|%(levelno)s|%(process)d|100%%|%(message)s' });
    logger.info('x');
    expect(text()).toBe(`INFO    |20|${process.pid}|100%|x\n`);
  });

  test('an unknown name in a template is refused', () => {
    expect(() => createLogger({ format: '%(nonsense)s' })).toThrow(ConfigError);
    expect(() => createLogger({ format: '%(constructor)s' })).toThrow(/known: asctime/);
  });

  test('JSON lines hold the fields, and survive what JSON cannot hold', () => {
    const { logger, text } = logTo({ format: 'json' });
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    logger.child({ task_id: 'i' }).info('hello', { n: 1, big: 10n ** 20n, error: new Error('boom') });
    logger.warn('round', { loop });
    const [first, second] = text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({
      level: 'INFO',
      message: 'hello',
      task_id: 'i',
      n: 1,
      big: '100000000000000000000',
      process: 'MainProcess',
    });
    expect(String(first?.error)).toMatch(/^Error: boom\n/);
    expect(second).toMatchObject({ level: 'WARNING', message: 'round', loop: '[unprintable]' });
  });

  test('the time is local and of the given instant', () => {
    const date = new Date(2026, 10, 22, 1, 12, 21, 7);
    expect(asctime(date.getTime())).toBe('2026-11-22 01:12:21,007');
    expect(asctime(date.getTime() + 993)).toBe('2026-11-22 01:12:22,000');
  });
});

describe('levels', () => {
  test('what tasks log themselves has a level of its own', () => {
    const { logger, text } = logTo({ level: 'warning', taskLevel: 'debug' });
    const task = logger.child({ task_name: 'tasks.add', task_id: '1' });
    task.debug('seen');
    logger.info('unseen');
    expect([task.isEnabled('debug'), logger.isEnabled('info')]).toEqual([true, false]);
    expect(text()).toMatch(/tasks\.add\[1\]: seen\n$/u);
    expect(() => createLogger({ taskLevel: 'loud' })).toThrow(ConfigError);
  });

  test('lines below the level are not written, whatever Celery name it has', () => {
    for (const level of ['WARNING', 'warning', 30] as const) {
      const { logger, text } = logTo({ level });
      logger.info('no');
      logger.warn('yes');
      expect(text()).toMatch(/yes\n$/);
      expect(text()).not.toContain('no');
      expect([logger.isEnabled('info'), logger.isEnabled('warn')]).toEqual([false, true]);
    }
  });

  test('FATAL is CRITICAL', () => {
    const { logger } = logTo({ level: 'fatal' });
    expect([logger.isEnabled('error'), logger.isEnabled('critical')]).toEqual([false, true]);
  });

  test('a change of level reaches the children', () => {
    const { logger } = logTo({ level: 'error' });
    const child = logger.child({ a: 1 });
    logger.setLevel('debug');
    expect(child.isEnabled('debug')).toBe(true);
  });

  test('an unknown level is refused with the known ones', () => {
    expect(() => createLogger({ level: 'loud' as 'debug' })).toThrow(/unknown log level "loud" \(known: DEBUG/);
  });

  test('a disabled line costs no more than a comparison', () => {
    const { logger } = logTo({ level: 'error' });
    const poisoned = Object.defineProperty({}, 'x', { enumerable: true, get: () => expect(true).toBe(false) });
    logger.debug('never', poisoned);
  });
});

describe('colour', () => {
  test('a terminal gets colours by level, anything else none', () => {
    const saved = { NO_COLOR: process.env.NO_COLOR, TERM: process.env.TERM };
    delete process.env.NO_COLOR;
    process.env.TERM = 'xterm';
    try {
      const terminal = logTo({}, true);
      terminal.logger.error('red');
      terminal.logger.info('plain');
      // eslint-disable-next-line no-control-regex -- colours are control characters
      expect(terminal.text()).toMatch(/^\x1b\[1;31m\[.*red\x1b\[0m\n\[.*plain\n$/);
      const piped = logTo();
      piped.logger.error('red');
      expect(piped.text()).not.toContain('\x1b');
      const refused = logTo({ color: false }, true);
      refused.logger.error('red');
      expect(refused.text()).not.toContain('\x1b');
    } finally {
      Object.assign(process.env, saved);
      if (saved.NO_COLOR === undefined) delete process.env.NO_COLOR;
      if (saved.TERM === undefined) delete process.env.TERM;
    }
  });

  test.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: true }, { NO_COLOR: '1' }, false],
    [{ isTTY: true }, { NO_COLOR: '' }, true],
    [{ isTTY: true }, { TERM: 'dumb' }, false],
    [{}, {}, false],
  ])('stream %j with %j: %s', (stream, env, wanted) => expect(wantsColour(stream, env)).toBe(wanted));
});

describe('file', () => {
  test('lines are appended, and a moved file is opened anew', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'celeriac-log-'));
    try {
      const file = join(directory, 'w.log');
      const logger = createLogger({ file, level: 'info' });
      logger.info('one');
      renameSync(file, `${file}.1`);
      await new Promise((resolve) => setTimeout(resolve, 1_050));
      logger.info('two');
      await logger.close();
      await logger.close();
      expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/one\n$/);
      expect(readFileSync(file, 'utf8')).toMatch(/^\[.*two\n$/);
      const again = createLogger({ file, level: 'info' });
      again.info('three');
      await again.close();
      expect(readFileSync(file, 'utf8')).toMatch(/two\n.*three\n$/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('a file that cannot be written is refused at once', () => {
    expect(() => createLogger({ file: '/nonexistent/dir/w.log' })).toThrow(
      /cannot write the log file "\/nonexistent\/dir\/w.log"/,
    );
  });
});
