/** Readers of option values; what they throw is a usage error that names the option. */
import { InvalidArgumentError } from 'commander';

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
    return value;
  };
}

/** Also fractions. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It must be a number of seconds from 0.');
  return value;
}

/** `a,b,c`, also given several times. */
export function list(text: string, previous: readonly string[] = []): string[] {
  return [
    ...previous,
    ...text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  ];
}

export function oneOf<T extends string>(
  values: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): (text: string) => T {
  return (text) => {
    const value = aliases[text.toLowerCase()] ?? values.find((candidate) => candidate === text.toLowerCase());
    if (value === undefined) throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`);
    return value;
  };
}

export function jsonList(text: string): unknown[] {
  const value = json(text);
  if (!Array.isArray(value)) throw new InvalidArgumentError(`It must be a JSON list, as '[1, 2]'.`);
  return value;
}

export function jsonDict(text: string): Record<string, unknown> {
  const value = json(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError(`It must be a JSON object, as '{"x": 1}'.`);
  return value as Record<string, unknown>;
}

/** A moment in ISO 8601; one without a time zone is UTC, as Celery takes it. */
export function moment(text: string): Date {
  const hasTime = /T|\s\d/u.test(text);
  const hasZone = /(?:Z|[+-]\d\d(?::?\d\d)?)$/iu.test(text.replace(/^\d{4}-\d\d-\d\d/u, ''));
  const date = new Date(hasTime && !hasZone ? `${text}Z` : text);
  if (!/^\d{4}-\d\d-\d\d/u.test(text) || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError('It must be a moment in ISO 8601, as 2026-12-31T23:59:00+01:00.');
  return date;
}

/** Seconds from now, or a moment. */
export function secondsOrMoment(text: string): number | Date {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) ? value : moment(text);
}

/** As chmod and `umask` write it: octal with a leading 0, as Celery reads it, else decimal. */
export function umask(text: string): number {
  const value = /^0[0-7]*$/u.test(text) ? parseInt(text, 8) : /^[1-9]\d*$/u.test(text) ? Number(text) : NaN;
  if (!(value <= 0o777)) throw new InvalidArgumentError('It must be an octal number with a leading 0, as 022.');
  return value;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new InvalidArgumentError(`It is no JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
