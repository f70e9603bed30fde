/**
 * ISO 8601 as Celery reads and writes it in eta, expires and date_done.
 * Counterparts: dateutil.parser.isoparse (celery/utils/time.py, maybe_iso8601) and Python's datetime.isoformat.
 * Instants are milliseconds with a fraction, which keeps Python's microseconds exact from 1830 to 2109.
 */
import { formatIsoDate, formatIsoTime, fromInstant } from './python-iso.ts';

export interface IsoInstant {
  /** Milliseconds since 1970 with the microseconds as fraction. A naive time is read as UTC, as protocol 2 demands. */
  epochMs: number;
  /** False for a naive time, which protocol 1 with `utc: false` means in the worker's own zone. */
  hasOffset: boolean;
  /** Minutes east of UTC as written; null for a naive time. */
  offsetMinutes: number | null;
}

const DATE = /^(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d)|-W(\d\d)-(\d)|W(\d\d)(\d)|-(\d{3})|(\d{3}))/;
/** Forms that stand alone: a time cannot follow them. */
const SHORT_DATE = /^(\d{4})(?:-(\d\d)|-?W(\d\d))?$/;
const TIME = /^(?:(\d\d)(?:(:?)(\d\d)(?:\2(\d\d)(?:[.,](\d+))?)?)?)?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$/;

const DAY_MS = 86_400_000;
const MAX_YEAR = 9999;

/**
 * Reads basic and extended forms, week and ordinal dates, `Z` and numeric offsets, `,` or `.` before the fraction (cut
 * after six digits), 24:00 as the next midnight. Any one character may stand between date and time.
 * @returns null when the text is no such date; the empty text too.
 */
export function parseIso8601(text: string): IsoInstant | null {
  const short = SHORT_DATE.exec(text);
  if (short !== null) {
    const [, year, month, week] = short;
    return naive(week === undefined ? calendarDay(year, month ?? '1', '1') : weekDay(year, week, '1'));
  }
  const date = DATE.exec(text);
  if (date === null) return null;
  const [matched, year, month, day, month2, day2, week, weekday, week2, weekday2, ordinal, ordinal2] = date;
  const dayMs =
    (month ?? month2) !== undefined
      ? calendarDay(year, month ?? month2, day ?? day2)
      : (week ?? week2) !== undefined
        ? weekDay(year, week ?? week2, weekday ?? weekday2)
        : ordinalDay(year, ordinal ?? ordinal2);
  if (dayMs === null || matched.length === text.length) return naive(dayMs);
  return withTime(dayMs, text.slice(matched.length + 1));
}

function withTime(dayMs: number, text: string): IsoInstant | null {
  const time = text.length < 2 ? null : TIME.exec(text);
  if (time === null) return null;
  const [, hourText, , minuteText, secondText, fraction, zulu, sign, offsetHourText, offsetMinuteText] = time;
  const hour = Number(hourText ?? 0);
  const minute = Number(minuteText ?? 0);
  const second = Number(secondText ?? 0);
  const micros = fraction === undefined ? 0 : Number(fraction.slice(0, 6).padEnd(6, '0'));
  const isNextMidnight = hour === 24 && minute === 0 && second === 0 && micros === 0;
  if ((hour > 23 && !isNextMidnight) || minute > 59 || second > 59) return null;

  const localMs = dayMs + hour * 3_600_000 + minute * 60_000 + second * 1000;
  // The fraction is added last: rounded once, it stays the nearest number to its microsecond.
  if (zulu !== undefined) return { epochMs: localMs + micros / 1000, hasOffset: true, offsetMinutes: 0 };
  if (sign === undefined) return naive(localMs + micros / 1000);
  const offsetHour = Number(offsetHourText);
  const offsetMinute = Number(offsetMinuteText ?? 0);
  if (offsetHour > 23 || offsetMinute > 59) return null;
  const offsetMinutes = (sign === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  return { epochMs: localMs - offsetMinutes * 60_000 + micros / 1000, hasOffset: true, offsetMinutes };
}

function naive(epochMs: number | null): IsoInstant | null {
  return epochMs === null ? null : { epochMs, hasOffset: false, offsetMinutes: null };
}

function calendarDay(year: string | undefined, month: string | undefined, day: string | undefined): number | null {
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  if (y < 1 || m < 1 || m > 12 || d < 1 || d > daysInMonth(y, m)) return null;
  return utcDay(y, m - 1, d);
}

function weekDay(year: string | undefined, week: string | undefined, day: string | undefined): number | null {
  const [y, w, d] = [Number(year), Number(week), Number(day)];
  if (y < 1 || w < 1 || w > 53 || d < 1 || d > 7) return null;
  // Week 1 is the one with 4 January in it.
  const january4 = utcDay(y, 0, 4);
  const weekdayOfJanuary4 = (new Date(january4).getUTCDay() + 6) % 7;
  const dayMs = january4 + ((w - 1) * 7 + (d - 1) - weekdayOfJanuary4) * DAY_MS;
  const resultYear = new Date(dayMs).getUTCFullYear();
  return resultYear < 1 || resultYear > MAX_YEAR ? null : dayMs;
}

function ordinalDay(year: string | undefined, ordinal: string | undefined): number | null {
  const [y, n] = [Number(year), Number(ordinal)];
  if (y < 1 || n < 1 || n > 337 + daysInMonth(y, 2)) return null;
  return utcDay(y, 0, n);
}

function daysInMonth(year: number, month: number): number {
  return new Date(utcDay(year, month, 0)).getUTCDate();
}

/** Date.UTC reads years below 100 as 19xx; setUTCFullYear does not. */
function utcDay(year: number, monthIndex: number, day: number): number {
  return new Date(0).setUTCFullYear(year, monthIndex, day);
}

/**
 * Python's isoformat of an aware datetime: six fraction digits unless they are all zero, offset as `+HH:MM`.
 * @param epochMs milliseconds since 1970, fraction allowed
 * @param offsetMinutes minutes east of UTC to write the time in; null writes a naive UTC time without offset
 * @throws RangeError when the instant is outside the years 1 to 9999
 */
export function isoformat(epochMs: number, offsetMinutes: number | null = 0): string {
  if (offsetMinutes === 0 && epochMs > 0 && epochMs < YEAR_10000_MS && Number.isInteger(epochMs)) {
    // The common case by V8's own formatter: 2026-01-02T03:04:05.678Z.
    const text = new Date(epochMs).toISOString();
    return epochMs % 1000 === 0 ? `${text.slice(0, 19)}+00:00` : `${text.slice(0, 23)}000+00:00`;
  }
  const wholeMs = Math.floor(epochMs);
  const microseconds = Math.round((epochMs - wholeMs) * 1000);
  const offset = offsetMinutes === null ? null : offsetMinutes * 60_000_000;
  const fields = fromInstant(wholeMs, microseconds, offset);
  if (fields === null) throw new RangeError(`instant out of range: ${String(epochMs)}`);
  return `${formatIsoDate(fields)}T${formatIsoTime(fields)}`;
}

const YEAR_10000_MS = Date.UTC(10000, 0);

const offsetFormats = new Map<string, Intl.DateTimeFormat>();

/**
 * Offset of an IANA zone at an instant, in minutes east of UTC.
 * @throws RangeError for a zone this runtime does not know
 */
export function zoneOffsetMinutes(timeZone: string, epochMs: number): number {
  let format = offsetFormats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    offsetFormats.set(timeZone, format);
  }
  const name = format.formatToParts(epochMs).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
  const match = /^GMT([+-])(\d\d):(\d\d)/.exec(name);
  if (match === null) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
}
