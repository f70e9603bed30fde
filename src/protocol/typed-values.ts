/**
 * Python's typed values as JavaScript holds them, without loss: reading and writing them again gives Python's text.
 * Counterpart: the types of kombu/utils/json.py (datetime, date, time, Decimal, UUID), 5.6.2.
 * Bytes are Buffers and integers beyond 2^53 - 1 are bigints; neither needs a class. All but DateTime are immutable.
 */
import { DecodeError } from '../errors.ts';
import { decimalOfNumber, normalizeDecimal } from './python-decimal.ts';
import {
  formatIsoDate,
  formatIsoTime,
  fromInstant,
  isRealDate,
  parseIsoDateTime,
  parseIsoTime,
  toInstant,
  type IsoDate,
  type IsoTime,
} from './python-iso.ts';

const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);

/**
 * A Date that keeps what a Date cannot: microseconds, the offset, and whether it was naive (taken as UTC).
 * It stays a Date in every other way. Once changed by a setter it keeps its offset and drops the extra microseconds.
 */
export class DateTime extends Date {
  readonly #epochMs: number;
  readonly #extraMicroseconds: number;
  readonly #offsetMicroseconds: number | null;

  /** @throws DecodeError where Python's datetime.fromisoformat raises ValueError */
  constructor(iso: string) {
    const fields = parseIsoDateTime(iso);
    if (fields === null) throw new DecodeError(`${shown(iso)} is no ISO 8601 date and time`);
    const { epochMs, extraMicroseconds } = toInstant(fields);
    super(epochMs);
    this.#epochMs = epochMs;
    this.#extraMicroseconds = extraMicroseconds;
    this.#offsetMicroseconds = fields.offsetMicroseconds;
  }

  /** Whether Python would call it naive: it came without an offset. */
  get isNaive(): boolean {
    return this.#offsetMicroseconds === null;
  }

  /** Python's isoformat(): `2026-01-02T03:04:05.000006+05:30`. Null when a setter left Python's years 1 to 9999. */
  isoformat(separator = 'T'): string | null {
    const extra = this.getTime() === this.#epochMs ? this.#extraMicroseconds : 0;
    return isoformat(this.getTime(), extra, this.#offsetMicroseconds, separator);
  }
}

function isoformat(epochMs: number, extra: number, offset: number | null, separator: string): string | null {
  const fields = fromInstant(epochMs, extra, offset);
  return fields === null ? null : formatIsoDate(fields) + separator + formatIsoTime(fields);
}

/** Any Date as Python prints it; a plain one is in UTC, `+00:00`. Null for an invalid date and outside years 1 to 9999. */
export function dateIsoformat(date: Date, separator = 'T'): string | null {
  return date instanceof DateTime ? date.isoformat(separator) : isoformat(date.getTime(), 0, 0, separator);
}

/** Python's datetime.date. */
export class PlainDate implements IsoDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;

  /** @throws DecodeError when there is no such day in the years 1 to 9999 */
  constructor(year: number, month: number, day: number) {
    this.year = year;
    this.month = month;
    this.day = day;
    if (![year, month, day].every(Number.isInteger) || !isRealDate(this)) {
      throw new DecodeError(`there is no date ${year}-${month}-${day}`);
    }
  }

  /** As kombu reads it: a time after the date is dropped. @throws DecodeError */
  static from(iso: string): PlainDate {
    const fields = parseIsoDateTime(iso);
    if (fields === null) throw new DecodeError(`${shown(iso)} is no ISO 8601 date`);
    return new PlainDate(fields.year, fields.month, fields.day);
  }

  /** `YYYY-MM-DD` */
  toString(): string {
    return formatIsoDate(this);
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Python's datetime.time, of microseconds and perhaps with an offset. */
export class PlainTime implements IsoTime {
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly microsecond: number;
  readonly offsetMicroseconds: number | null;

  /** @throws DecodeError where Python's time.fromisoformat raises ValueError */
  constructor(iso: string) {
    const fields = parseIsoTime(iso);
    if (fields === null) throw new DecodeError(`${shown(iso)} is no ISO 8601 time`);
    this.hour = fields.hour;
    this.minute = fields.minute;
    this.second = fields.second;
    this.microsecond = fields.microsecond;
    this.offsetMicroseconds = fields.offsetMicroseconds;
  }

  /** `HH:MM:SS[.ffffff][+HH:MM]` */
  toString(): string {
    return formatIsoTime(this);
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Python's Decimal as its text; hand it to the decimal library of your choice to calculate. */
export class Decimal {
  readonly #text: string;

  /** A number is taken exactly as Python does: `new Decimal(0.1)` has 55 digits. @throws DecodeError */
  constructor(value: string | number | bigint) {
    const text = typeof value === 'number' ? decimalOfNumber(value) : normalizeDecimal(String(value));
    if (text === null) throw new DecodeError(`${shown(String(value))} is no decimal number`);
    this.#text = text;
  }

  /** As Python prints it: `1.10`, `1E+5`, `NaN`. */
  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

/** Python's UUID. */
export class Uuid {
  /** 32 lower-case hexadecimal digits. */
  readonly hex: string;

  /** Takes what Python's UUID(...) takes: with or without hyphens, braces, `urn:uuid:`. @throws DecodeError */
  constructor(text: string) {
    const hex = text.replace(/^urn:|uuid:|[{}-]/g, '').toLowerCase();
    if (!/^[0-9a-f]{32}$/.test(hex)) throw new DecodeError(`${shown(text)} is no UUID`);
    this.hex = hex;
  }

  /** @throws DecodeError outside 0 to 2^128 - 1 */
  static fromInt(value: number | bigint): Uuid {
    const wide = typeof value === 'bigint' ? value : Number.isInteger(value) ? BigInt(value) : -1n;
    if (wide < 0n || wide >= 1n << 128n) throw new DecodeError('a UUID is an integer from 0 to 2^128 - 1');
    return new Uuid(wide.toString(16).padStart(32, '0'));
  }

  /** With hyphens: `12345678-1234-5678-1234-567812345678`. */
  toString(): string {
    return this.hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  toJSON(): string {
    return this.toString();
  }
}
