/** Celery's log levels: Python's logging, by name or number. */

import { ConfigError } from '../errors.ts';

/** What `-l` takes, in any case. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'fatal';

/** The methods of a Logger. */
export type LogMethod = 'debug' | 'info' | 'warn' | 'error' | 'critical';

/** Python's numbers; the higher, the graver. */
export const SEVERITY: Readonly<Record<LogMethod, number>> = { debug: 10, info: 20, warn: 30, error: 40, critical: 50 };

/** As `%(levelname)s` prints them. */
export const LEVEL_NAMES: Readonly<Record<LogMethod, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  critical: 'CRITICAL',
};

const BY_NAME: ReadonlyMap<string, number> = new Map([
  ['DEBUG', 10],
  ['INFO', 20],
  ['WARN', 30],
  ['WARNING', 30],
  ['ERROR', 40],
  ['CRITICAL', 50],
  ['FATAL', 50],
]);

/** The number of a level's name, or the number itself. @throws ConfigError for an unknown name. */
export function severityOf(level: string | number): number {
  if (typeof level === 'number') return level;
  const severity = BY_NAME.get(level.toUpperCase());
  if (severity === undefined) {
    throw new ConfigError(`unknown log level "${level}" (known: DEBUG, INFO, WARNING, ERROR, CRITICAL, FATAL)`);
  }
  return severity;
}
