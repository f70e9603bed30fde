import type { Logger } from '../../src/log.ts';

/** A logger that keeps its lines, `LEVEL message`, for tests that ask what was said. */
export function keepingLogger(lines: string[] = []): Logger {
  const at = (level: string) => (message: string | (() => string)) => {
    lines.push(`${level} ${typeof message === 'function' ? message() : message}`);
  };
  const logger: Logger = {
    debug: at('DEBUG'),
    info: at('INFO'),
    warn: at('WARNING'),
    error: at('ERROR'),
    critical: at('CRITICAL'),
    child: () => logger,
    isEnabled: () => true,
  };
  return logger;
}
