/**
 * Decimal numbers as text: what `str(Decimal(x))` of Python prints for what `Decimal(x)` accepts.
 * Counterpart: the decimal module of CPython 3.11. No arithmetic happens here.
 */

const NUMBER = /^([-+]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([-+]?\d+))?$/;
const SPECIAL = /^([-+]?)(?:(inf(?:inity)?)|(s?nan)(\d*))$/i;
/** Python's own bounds on 64 bits (MAX_EMAX, MIN_ETINY); beyond them Decimal() raises. */
const MAX_ADJUSTED = 999_999_999_999_999_999n;
const MIN_EXPONENT = -1_999_999_999_999_999_997n;

/** Scientific notation as the General Decimal Arithmetic specification's to-scientific-string. */
function print(sign: string, digits: string, exponent: bigint): string {
  const pointAt = exponent + BigInt(digits.length);
  const isPlain = exponent <= 0n && pointAt > -6n;
  const place = isPlain ? Number(pointAt) : 1;
  const whole = place <= 0 ? '0' : digits.slice(0, place);
  const fraction = place <= 0 ? '0'.repeat(-place) + digits : digits.slice(place);
  const power = pointAt - BigInt(place);
  const suffix = isPlain || power === 0n ? '' : `E${power < 0n ? '' : '+'}${power}`;
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}${suffix}`;
}

/** Python's text of that decimal, or null where Python raises InvalidOperation. */
export function normalizeDecimal(text: string): string | null {
  const bare = text.trim().replaceAll('_', '');
  const number = NUMBER.exec(bare);
  if (number !== null) {
    const [, sign, whole = '', fraction = number[4] ?? '', , exponentText = '0'] = number;
    if (exponentText.length > 20) return null;
    const exponent = BigInt(exponentText) - BigInt(fraction.length);
    const digits = (whole + fraction).replace(/^0+(?=\d)/, '');
    const adjusted = exponent + BigInt(digits.length) - 1n;
    if (adjusted > MAX_ADJUSTED || exponent < MIN_EXPONENT) return null;
    return print(sign === '-' ? '-' : '', digits, exponent);
  }
  const special = SPECIAL.exec(bare);
  if (special === null) return null;
  const sign = special[1] === '-' ? '-' : '';
  if (special[2] !== undefined) return `${sign}Infinity`;
  const name = special[3]?.toLowerCase() === 'snan' ? 'sNaN' : 'NaN';
  return sign + name + (special[4] ?? '').replace(/^0+/, '');
}

/** A number exactly, to the last binary digit, as `Decimal(0.1)` does. */
export function decimalOfNumber(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value < 0 ? '-Infinity' : 'Infinity';
  let scaled = value;
  let halvings = 0;
  while (!Number.isInteger(scaled)) {
    scaled *= 2; // exact; ends after at most 1074 steps
    halvings += 1;
  }
  // value = scaled / 2^halvings = scaled * 5^halvings / 10^halvings
  const digits = BigInt(scaled) * 5n ** BigInt(halvings);
  return normalizeDecimal(`${digits}E-${halvings}`) ?? String(value);
}
