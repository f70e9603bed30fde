/**
 * Dates and times in ISO 8601 as Python reads and prints them.
 * Counterpart: datetime.fromisoformat, time.fromisoformat and isoformat of CPython 3.11 (which the recordings ran on).
 * Fields are checked against the calendar here, once; whoever holds an Iso... value holds a real date or time.
 */

export interface IsoDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

export interface IsoTime {
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly microsecond: number;
  /** What the clock is ahead of UTC, in microseconds (Python allows such offsets); null is Python's naive time. */
  readonly offsetMicroseconds: number | null;
}

export type IsoDateTime = IsoDate & IsoTime;

const MICROSECONDS_PER_DAY = 86_400_000_000;
const MS_PER_DAY = 86_400_000;

const CALENDAR = String.raw`(?<year>\d{4})(?:-(?<month>\d\d)-(?<day>\d\d)|(?<month2>\d\d)(?<day2>\d\d))`;
const WEEK = String.raw`(?<weekYear>\d{4})(?:-W(?<week>\d\d)(?:-(?<weekday>\d))?|W(?<week2>\d\d)(?<weekday2>\d)?)`;
const CLOCK = String.raw`\d\d(?::\d\d(?::\d\d(?:[.,]\d+)?)?|\d\d(?:\d\d(?:[.,]\d+)?)?)?`;
const TIME = String.raw`(?<clock>${CLOCK})(?<offset>Z|[-+]${CLOCK})?`;

// Any single character may part date and time, as in Python.
const DATE_TIME_PATTERN = new RegExp(`^(?:${CALENDAR}|${WEEK})(?:.${TIME})?$`, 'su');
const TIME_PATTERN = new RegExp(`^T?${TIME}$`, 'u');

/** Midnight UTC of a date in epoch milliseconds; unlike Date.UTC it does not take year 99 for 1999. */
function utcMidnight(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

/** Whether the date exists in Python's calendar: years 1 to 9999. */
export function isRealDate({ year, month, day }: IsoDate): boolean {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
  return new Date(utcMidnight(year, month, day)).getUTCDate() === day;
}

export function isRealTime(time: IsoTime): boolean {
  if (time.hour > 23 || time.minute > 59 || time.second > 59) return false;
  return time.offsetMicroseconds === null || Math.abs(time.offsetMicroseconds) < MICROSECONDS_PER_DAY;
}

function fromIsoWeek(year: number, week: number, weekday: number): IsoDate | null {
  if (year < 1 || week < 1 || week > 53 || weekday < 1 || weekday > 7) return null;
  const fourth = utcMidnight(year, 1, 4); // always in week 1
  const firstMonday = fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * MS_PER_DAY;
  const thursday = new Date(firstMonday + ((week - 1) * 7 + 3) * MS_PER_DAY);
  if (thursday.getUTCFullYear() !== year) return null; // a 53rd week that this year does not have
  const date = new Date(firstMonday + ((week - 1) * 7 + weekday - 1) * MS_PER_DAY);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

function microsecondsOf(clock: string): Omit<IsoTime, 'offsetMicroseconds'> {
  const [whole = '', fraction = ''] = clock.split(/[.,]/);
  const digits = whole.replaceAll(':', '');
  return {
    hour: Number(digits.slice(0, 2)),
    minute: Number(digits.slice(2, 4)),
    second: Number(digits.slice(4, 6)),
    microsecond: Number(fraction.slice(0, 6).padEnd(6, '0')),
  };
}

function toOffset(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (text === 'Z') return 0;
  const { hour, minute, second, microsecond } = microsecondsOf(text.slice(1));
  const size = ((hour * 60 + minute) * 60 + second) * 1_000_000 + microsecond;
  return text.startsWith('-') ? 0 - size : size;
}

function toTime(clock: string, offset: string | undefined): IsoTime | null {
  const time = { ...microsecondsOf(clock), offsetMicroseconds: toOffset(offset) };
  return isRealTime(time) ? time : null;
}

/** As `datetime.fromisoformat`: a date alone is its midnight. Null where Python raises ValueError. */
export function parseIsoDateTime(text: string): IsoDateTime | null {
  const groups = DATE_TIME_PATTERN.exec(text)?.groups;
  if (groups === undefined) return null;
  let date: IsoDate | null;
  if (groups['weekYear'] !== undefined) {
    const weekday = groups['weekday'] ?? groups['weekday2'] ?? '1';
    date = fromIsoWeek(Number(groups['weekYear']), Number(groups['week'] ?? groups['week2']), Number(weekday));
  } else {
    date = {
      year: Number(groups['year']),
      month: Number(groups['month'] ?? groups['month2']),
      day: Number(groups['day'] ?? groups['day2']),
    };
  }
  const time = toTime(groups['clock'] ?? '00', groups['offset']);
  return date === null || time === null || !isRealDate(date) ? null : { ...date, ...time };
}

/** As `time.fromisoformat`. Null where Python raises ValueError. */
export function parseIsoTime(text: string): IsoTime | null {
  const groups = TIME_PATTERN.exec(text)?.groups;
  return groups?.['clock'] === undefined ? null : toTime(groups['clock'], groups['offset']);
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

function formatClock(hour: number, minute: number, second: number, microsecond: number): string {
  const fraction = microsecond === 0 ? '' : `.${pad(microsecond, 6)}`;
  return `${pad(hour, 2)}:${pad(minute, 2)}:${pad(second, 2)}${fraction}`;
}

function formatOffset(offsetMicroseconds: number | null): string {
  if (offsetMicroseconds === null) return '';
  const size = Math.abs(offsetMicroseconds);
  const seconds = Math.floor(size / 1_000_000);
  const clock = formatClock(Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60, size % 1_000_000);
  return (offsetMicroseconds < 0 ? '-' : '+') + clock.replace(/^(\d\d:\d\d):00$/, '$1');
}

export function formatIsoDate({ year, month, day }: IsoDate): string {
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

export function formatIsoTime(time: IsoTime): string {
  return formatClock(time.hour, time.minute, time.second, time.microsecond) + formatOffset(time.offsetMicroseconds);
}

/** The instant in epoch milliseconds, and the microseconds that do not fit in them. Naive is taken as UTC. */
export function toInstant(value: IsoDateTime): { epochMs: number; extraMicroseconds: number } {
  const wholeMs =
    utcMidnight(value.year, value.month, value.day) + ((value.hour * 60 + value.minute) * 60 + value.second) * 1000;
  const microseconds = value.microsecond - (value.offsetMicroseconds ?? 0);
  const ms = Math.floor(microseconds / 1000);
  return { epochMs: wholeMs + ms, extraMicroseconds: microseconds - ms * 1000 };
}

/** The way back from `toInstant`, on a clock of the given offset. Null outside the years 1 to 9999. */
export function fromInstant(
  epochMs: number,
  extraMicroseconds: number,
  offsetMicroseconds: number | null,
): IsoDateTime | null {
  const microseconds = extraMicroseconds + (offsetMicroseconds ?? 0);
  const ms = Math.floor(microseconds / 1000);
  const local = new Date(epochMs + ms);
  const year = local.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) return null; // also an invalid date, whose year is NaN
  return {
    year,
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    microsecond: local.getUTCMilliseconds() * 1000 + (microseconds - ms * 1000),
    offsetMicroseconds,
  };
}
