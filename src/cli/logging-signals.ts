/**
 * The signals around the set-up of a worker's log. Counterpart: celery/app/log.py setup_logging_subsystem, 5.6.3.
 *
 * Differs from Celery: there, a receiver of setup_logging sets up Python's logging, and Celery leaves it alone. Here it
 * returns the Logger to use; one that returns nothing leaves the choice to celeriac.
 */
import type { LogFields, Logger, RootLogger } from '../log.ts';
import { signals, type LoggingPayload } from '../signals/signals.ts';

export type LoggingOptions = Omit<LoggingPayload, 'sender'>;

/** @param create - makes celeriac's own, unless a receiver brought one. */
export async function setUpLogging(options: LoggingOptions, create: () => RootLogger): Promise<RootLogger> {
  const { setupLogging, afterSetupLogger } = signals;
  const payload = { sender: null, ...options };
  // Nothing is there yet that could log the failure of a receiver.
  const errors: [message: string, fields: LogFields][] = [];
  const responses = setupLogging.isListened
    ? await setupLogging.send(payload, { error: (message, fields = {}) => errors.push([message, fields]) })
    : [];
  const brought = responses.find(isLogger);
  const logger = brought === undefined ? create() : asRoot(brought);
  for (const line of errors) logger.error(...line);
  // As in Celery: who brings a logger knows when it is set up.
  if (brought === undefined && afterSetupLogger.isListened) await afterSetupLogger.send({ ...payload, logger }, logger);
  return logger;
}

function isLogger(value: unknown): value is Logger {
  const methods = ['debug', 'info', 'warn', 'error', 'critical', 'child', 'isEnabled'];
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
  );
}

/** A user's logger is the user's to end. */
function asRoot(logger: Logger): RootLogger {
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warn: (message, fields) => logger.warn(message, fields),
    error: (message, fields) => logger.error(message, fields),
    critical: (message, fields) => logger.critical(message, fields),
    child: (fields) => logger.child(fields),
    isEnabled: (level) => logger.isEnabled(level),
    setLevel: () => undefined,
    close: () => Promise.resolve(),
  };
}
