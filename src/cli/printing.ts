/** How commands print: on the standard output, values as Python's str() shows them, since Celery's commands do. */
import { pyStr } from '../protocol/exceptions.ts';

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item)));
}

/** click prints None as an empty line. */
export function printValue(value: unknown): void {
  print(value === null || value === undefined ? '' : pyStr([value]));
}

/** `1 message`, `2 messages`. Celery: utils/text.py pluralize. */
export function pluralize(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
