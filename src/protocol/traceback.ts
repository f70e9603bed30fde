/**
 * A JavaScript stack as Python prints tracebacks: the call that failed last, causes first. For the meta's `traceback`,
 * which Flower and Python's get() show as it is; nobody parses it.
 */
import { fileURLToPath } from 'node:url';
import { identifyError, isErrorLike, JS_ERROR_MODULE } from './error-identity.ts';
import { pyStr } from './exceptions.ts';

const MAX_CAUSES = 8;
const MAX_FRAMES = 100;
const CAUSED = '\nThe above exception was the direct cause of the following exception:\n\n';

/** `    at async name (file:line:column)`, name and parentheses optional. */
const FRAME = /^\s+at (?:(.+) \()?(\S.*?):(\d+):\d+\)?$/;

/** Never throws, whatever was thrown. Ends with a line break, as Python's does. */
export function tracebackText(thrown: unknown): string {
  const sections: string[] = [];
  const seen = new Set<unknown>();
  let current = thrown;
  do {
    seen.add(current);
    sections.push(section(current));
    current = property(current, 'cause');
  } while (current !== undefined && current !== null && !seen.has(current) && sections.length < MAX_CAUSES);
  return sections.reverse().join(CAUSED);
}

function section(thrown: unknown): string {
  const frames = framesOf(thrown);
  const heading = frames.length === 0 ? '' : 'Traceback (most recent call last):\n';
  return `${heading}${frames.join('')}${lastLine(thrown)}\n`;
}

/** Python's `module.Class: text`; the module is left out where it says nothing. */
function lastLine(thrown: unknown): string {
  const { excType, excModule, excArgs } = identifyError(thrown);
  const isSilent = excModule === null || excModule === 'builtins' || excModule === JS_ERROR_MODULE;
  const text = pyStr(excArgs);
  return `${isSilent ? '' : `${excModule}.`}${excType}${text === '' ? '' : `: ${text}`}`;
}

function framesOf(thrown: unknown): string[] {
  const stack = isErrorLike(thrown) ? property(thrown, 'stack') : undefined;
  if (typeof stack !== 'string') return [];
  const frames: string[] = [];
  // From the end, because the message above the frames may have lines that look like some.
  const lines = stack.trimEnd().split('\n', MAX_FRAMES * 10);
  for (const line of lines.reverse()) {
    if (!/^\s+at /.test(line) || frames.length >= MAX_FRAMES) break;
    const frame = line.length > 2000 ? null : FRAME.exec(line);
    if (frame === null) continue;
    const [, name, file, lineNumber] = frame;
    if (file === undefined || file.startsWith('node:')) continue;
    frames.push(
      `  File "${pathOf(file)}", line ${lineNumber ?? '?'}, in ${name?.replace(/^async /, '') ?? '<anonymous>'}\n`,
    );
  }
  return frames;
}

function pathOf(file: string): string {
  if (!file.startsWith('file:')) return file;
  try {
    return fileURLToPath(file);
  } catch {
    return file;
  }
}

function property(holder: unknown, name: string): unknown {
  if (typeof holder !== 'object' || holder === null) return undefined;
  try {
    return (holder as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
