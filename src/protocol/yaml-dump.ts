/**
 * YAML as PyYAML's safe_dump writes it: block style, sorted keys, ASCII only. Counterpart: yaml/emitter.py and
 * yaml/representer.py, PyYAML 6.0.3.
 * Differs from PyYAML: long lines are not folded, text of several lines is double-quoted, and a value that occurs twice
 * is written twice instead of being given an anchor. All of it reads back the same.
 */
import { types } from 'node:util';
import { toBuffer } from './bytes.ts';
import { describe, enterObject, Refusal, refuseForeign, toEncodeError } from './encodable.ts';
import { encodeTyped } from './json-types.ts';
import { isTooLongInt, numberText } from './python-number.ts';
import { dateIsoformat, PlainDate } from './typed-values.ts';
import { resolvePlain } from './yaml-scalar.ts';

/** PyYAML writes longer keys as `? key`; it counts the tag !!str too. */
const LONGEST_SIMPLE_KEY = 127 - '!!str'.length;
const BASE64_LINE = 76;

/** A written node: what stands after `-` or `key:` (empty for a plain collection), and its own lines, not indented. */
interface Written {
  readonly head: string;
  readonly lines: readonly string[];
  readonly isSequence?: boolean;
}

/** @throws EncodeError on what safe_dump refuses too: decimals, UUIDs, times, errors, cycles */
export function dumpYaml(value: unknown): string {
  const ancestors: object[] = [];
  try {
    const { head, lines } = write(value, ancestors);
    if (head === '') return `${lines.join('\n')}\n`;
    if (head === '!!set') return `${[head, ...lines].join('\n')}\n`;
    // A plain scalar alone in a document has no end of its own.
    const end = /^["'![{]/.test(head) ? [] : ['...'];
    return `${[head, ...indented(lines), ...end].join('\n')}\n`;
  } catch (error) {
    throw toEncodeError(error, ancestors);
  }
}

function write(value: unknown, ancestors: object[]): Written {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'undefined':
      return { head: scalar(value), lines: [] };
    case 'object': {
      if (value === null) return { head: 'null', lines: [] };
      enterObject(value, ancestors);
      const written = writeObject(value, ancestors);
      ancestors.pop();
      return written;
    }
    default:
      throw new Refusal(`${describe(value)} is no data`, value);
  }
}

function writeObject(value: object, ancestors: object[]): Written {
  if (types.isDate(value) || value instanceof PlainDate) return { head: scalar(value), lines: [] };
  if (types.isUint8Array(value)) {
    const base64 = toBuffer(value).toString('base64');
    if (base64 === '') return { head: '!!binary ""', lines: [] };
    return { head: '!!binary |', lines: base64.match(new RegExp(`.{1,${BASE64_LINE}}`, 'g')) ?? [] };
  }
  if (Array.isArray(value)) return writeSequence(value, ancestors);
  if (types.isSet(value)) {
    const { head, lines } = writeMapping(
      Array.from(value as ReadonlySet<unknown>, (key) => [key, null]),
      ancestors,
    );
    return { head: head === '' ? '!!set' : `!!set ${head}`, lines };
  }
  if (types.isMap(value)) return writeMapping([...(value as ReadonlyMap<unknown, unknown>)], ancestors);
  if (encodeTyped(value) !== null) throw new Refusal(`YAML has no type for ${describe(value)}`, value);
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return write((value as { toJSON(): unknown }).toJSON(), ancestors);
  }
  if (types.isBoxedPrimitive(value)) return write(value.valueOf(), ancestors);
  refuseForeign(value);
  return writeMapping(Object.entries(value), ancestors);
}

function writeSequence(items: readonly unknown[], ancestors: object[]): Written {
  if (items.length === 0) return { head: '[]', lines: [] };
  const lines: string[] = [];
  for (const item of items) append(lines, inItem('- ', write(item, ancestors)));
  return { head: '', lines, isSequence: true };
}

function writeMapping(entries: readonly (readonly [unknown, unknown])[], ancestors: object[]): Written {
  const present = entries.filter(([, item]) => item !== undefined);
  if (present.length === 0) return { head: '{}', lines: [] };
  if (present.every(([key]) => typeof key === 'string')) {
    present.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)); // as safe_dump; of mixed keys it gives up
  }
  const lines: string[] = [];
  for (const [key, item] of present) {
    const keyText = scalar(key);
    const value = write(item, ancestors);
    if (!isSimpleKey(key)) {
      lines.push(`? ${keyText}`);
      append(lines, inItem(': ', value));
    } else if (value.head !== '') {
      lines.push(`${keyText}: ${value.head}`);
      append(lines, indented(value.lines));
    } else {
      lines.push(`${keyText}:`);
      append(lines, value.isSequence ? value.lines : indented(value.lines));
    }
  }
  return { head: '', lines };
}

function isSimpleKey(key: unknown): boolean {
  return typeof key !== 'string' || (key.length <= LONGEST_SIMPLE_KEY && /^[^\n\u0085\u2028\u2029]+$/.test(key));
}

/** A node behind a two-character mark. */
function inItem(mark: string, { head, lines }: Written): string[] {
  if (head !== '') return [mark + head, ...indented(lines)];
  return [mark + (lines[0] ?? ''), ...indented(lines.slice(1))];
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** Not by spreading into push: a long list would overflow the stack. */
function append(target: string[], lines: readonly string[]): void {
  for (const line of lines) target.push(line);
}

function scalar(value: unknown): string {
  if (typeof value === 'string') return stringScalar(value);
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return numberScalar(value);
  if (typeof value === 'bigint') {
    if (isTooLongInt(value)) throw new Refusal('the integer has too many digits for Python', value);
    return value.toString();
  }
  if (value instanceof PlainDate) return value.toString();
  if (types.isDate(value)) {
    const text = dateIsoformat(value, ' ');
    if (text === null) throw new Refusal('the Date is invalid or outside the years 1 to 9999', value);
    return text;
  }
  throw new Refusal(`${describe(value)} cannot be a key`, value);
}

function numberScalar(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value < 0 ? '-.inf' : '.inf';
  const text = numberText(value);
  return text.includes('.') ? text : text.replace('e', '.0e'); // YAML 1.1 asks for the point
}

const SHORT_ESCAPES = new Map([
  ['\0', '0'],
  ['\u0007', 'a'],
  ['\b', 'b'],
  ['\t', 't'],
  ['\n', 'n'],
  ['\u000b', 'v'],
  ['\f', 'f'],
  ['\r', 'r'],
  ['\u001b', 'e'],
  ['"', '"'],
  ['\\', '\\'],
  ['\u0085', 'N'],
  ['\u00a0', '_'],
  ['\u2028', 'L'],
  ['\u2029', 'P'],
]);

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES.get(character);
  if (short !== undefined) return `\\${short}`;
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

function stringScalar(text: string): string {
  if (!/^[ -~]*$/.test(text)) return `"${text.replace(/["\\]|[^ -~]/gu, escapeCharacter)}"`;
  return isPlain(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

/** Whether printable ASCII can stand without quotes, in block style, and is still read as a string. */
function isPlain(text: string): boolean {
  if (text.startsWith('---') || text.startsWith('...') || text.startsWith(' ') || text.endsWith(' ')) return false;
  if (/^(?:[#,[\]{}&*!|>'"%@`]|[-?:](?: |$))/.test(text)) return false;
  if (/:(?: |$)| #/.test(text)) return false;
  return resolvePlain(text) === 'str';
}
