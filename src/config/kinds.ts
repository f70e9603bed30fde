/** The kinds of values settings have: how they are checked (zod), read from an environment variable, and described. */

import { z } from 'zod';

export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  /** What a wrong value is told to be instead. */
  readonly expected: string;
  /** The value a text means; text that means none comes back as it is, and fails the check. */
  fromText(text: string): unknown;
}

export type ValueOf<K> = K extends Kind<infer T> ? T : never;

/** A dict of options whose keys another component knows. */
export type Options = Readonly<Record<string, unknown>>;

const YES = new Set(['1', 'true', 'yes', 'on', 'y', 't']);
const NO = new Set(['0', 'false', 'no', 'off', 'n', 'f']);

/** Celery: celery/utils/serialization.py strtobool. */
export const flag: Kind<boolean> = {
  schema: z.boolean(),
  expected: 'true or false',
  fromText: (text) => {
    const word = text.toLowerCase();
    return YES.has(word) ? true : NO.has(word) ? false : text;
  },
};

export const text: Kind<string> = { schema: z.string(), expected: 'a string', fromText: (given) => given };

/** A name or a number, kept as text: users, groups, masks. */
export const idText: Kind<string> = {
  schema: z.preprocess((value) => (typeof value === 'number' ? String(value) : value), z.string()),
  expected: 'a name or a number',
  fromText: (given) => given,
};

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    schema: z.enum(values as readonly [T, ...T[]]),
    expected: `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`,
    fromText: (given) => given,
  };
}

function numeric(given: string): unknown {
  return given.trim() === '' ? given : Number(given);
}

/** A whole number from `min`. */
export function count(min = 0): Kind<number> {
  return { schema: z.int().min(min), expected: `a whole number from ${min}`, fromText: numeric };
}

/** Any whole number, also a negative one. */
export const whole: Kind<number> = { schema: z.int(), expected: 'a whole number', fromText: numeric };

/** Any number from 0, fractions too. */
export const amount: Kind<number> = { schema: z.number().min(0), expected: 'a number from 0', fromText: numeric };

/** Infinity is allowed: how Celery writes "for ever". */
export const endless: Kind<number> = {
  schema: z.union([z.literal(Infinity), z.number().min(0)]),
  expected: 'a number from 0 (Infinity: for ever)',
  fromText: (given) => (/^\+?inf(inity)?$/i.test(given) ? Infinity : numeric(given)),
};

/** A list of texts; one text is a list of one, in an environment variable they are separated by commas. */
export const texts: Kind<readonly string[]> = {
  schema: z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.string()).readonly()),
  expected: 'a list of strings',
  fromText: (given) =>
    given
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
};

/** One connection URL, several joined by `;`, or a list of them. */
export const urls: Kind<string | readonly string[]> = {
  schema: z.union([z.string(), z.array(z.string()).min(1).readonly()]),
  expected: 'a URL or a list of URLs',
  fromText: (given) => given,
};

function parsed(given: string): unknown {
  try {
    return JSON.parse(given) as unknown;
  } catch {
    return given;
  }
}

/** A plain object, kept as it is: values may be functions, or objects of classes. */
export const dict: Kind<Options> = {
  schema: z.custom<Options>(isPlainObject),
  expected: 'a dict (in an environment variable: JSON)',
  fromText: parsed,
};

/** `broker_use_ssl` and its like: a dict of ssl_* options, or a switch. */
export const ssl: Kind<boolean | Options> = {
  schema: z.union([z.boolean(), z.custom<Options>(isPlainObject)]),
  expected: 'true, false or a dict of ssl_* options',
  fromText: (given) => (given.trim().startsWith('{') ? parsed(given) : flag.fromText(given)),
};

/** Whatever the component that reads it takes. */
export const anything: Kind<unknown> = { schema: z.unknown(), expected: 'any value', fromText: parsed };

/** An IANA time zone. */
export const zone: Kind<string> = {
  schema: z.string().refine(isTimeZone),
  expected: 'an IANA time zone, as "Europe/Rome"',
  fromText: (given) => given,
};

/** A name from the serializer registry; pickle is code and never accepted. */
export const serializer: Kind<string> = {
  schema: z.string().refine((name) => !/pickle|python-serialize/i.test(name)),
  expected: 'a serializer other than pickle ("json", "yaml", "msgpack")',
  fromText: (given) => given,
};

/** null is Python's None; in an environment variable an empty text, `none` or `null`. */
export function nullable<T>(kind: Kind<T>): Kind<T | null> {
  return {
    schema: z.union([z.null(), kind.schema]),
    expected: `${kind.expected}, or null`,
    fromText: (given) => (/^(none|null)?$/i.test(given.trim()) ? null : kind.fromText(given)),
  };
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object of another realm (a settings module run in a vm) is plain too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
