/**
 * worker_redirect_stdouts: what tasks print goes to the log, line by line. Counterpart: LoggingProxy of celery/utils/log.py,
 * 5.6.3. Whoever has to write past it, the log itself first of all, takes `originals`.
 */
import type { Logger, LogMethod } from '../log.ts';

type Write = typeof process.stdout.write;

export interface Originals {
  readonly stdout: (text: string) => void;
  /** For the log, which writes here where it has no file. */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Longer without a line's end is cut there. */
const LONGEST = 64 * 1024;

export function keepOriginals(): Originals {
  const { stdout, stderr } = process;
  const write = stderr.write.bind(stderr);
  // A stream that is standard error in all but `write`, which will be another's.
  const original = Object.create(stderr, { write: { value: write } }) as NodeJS.WritableStream;
  const print = stdout.write.bind(stdout);
  return { stdout: (text) => void print(text), stderr: original };
}

/** Returns what takes it back: the last words of a command are none for the log. */
export function redirectToLog(logger: Logger, level: LogMethod): () => void {
  const undo = [process.stdout, process.stderr].map((stream) => {
    const before = stream.write.bind(stream);
    stream.write = lineWriter(logger, level);
    return () => (stream.write = before);
  });
  return () => undo.forEach((take) => take());
}

function lineWriter(logger: Logger, level: LogMethod): Write {
  let rest = '';
  const write = (chunk: Uint8Array | string, encoding?: unknown, callback?: unknown): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST) {
      lines.push(rest);
      rest = '';
    }
    for (const line of lines) if (line.trim() !== '') logger[level](line);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  return write;
}
