/**
 * Numbers as Python prints and reads them. Counterpart: float.__repr__, int() of CPython 3.11.
 * JavaScript has one number type: a number that is a safe integer stands for Python's int, any other for its float.
 */

/** CPython refuses to convert longer decimal integers (sys.get_int_max_str_digits()), both ways. */
export const MAX_INT_DIGITS = 4300;

let smallestTooLongInt: bigint | undefined;

/** Whether Python would refuse to print or read this integer in decimal. */
export function isTooLongInt(value: bigint): boolean {
  smallestTooLongInt ??= 10n ** BigInt(MAX_INT_DIGITS);
  return value >= smallestTooLongInt || value <= -smallestTooLongInt;
}

/** A finite number as Python's `repr` of that float: `3.0`, `1e+16`, `1e-07`, `-0.0`. */
export function floatRepr(value: number): string {
  const magnitude = Math.abs(value);
  // Python turns to exponents from 1e16 and below 1e-4, JavaScript from 1e21 and below 1e-6; digits are the same.
  if (magnitude >= 1e16 || (magnitude < 1e-4 && magnitude !== 0)) {
    return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
  }
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** An integer as JavaScript holds it without loss: a number up to 2^53 - 1, beyond that a bigint. */
export function narrowInt(value: bigint): number | bigint {
  const narrowed = Number(value);
  return Number.isSafeInteger(narrowed) ? narrowed : value;
}

/** Reads decimal digits with an optional sign; null when there are more digits than Python converts. */
export function parseDecimalInt(digits: string): number | bigint | null {
  if (digits.length <= 15) return Number(digits) || 0; // "-0" is the integer 0
  const isSigned = digits.startsWith('-') || digits.startsWith('+');
  if (digits.length - (isSigned ? 1 : 0) > MAX_INT_DIGITS) return null;
  return narrowInt(BigInt(digits));
}

/** A number as Python prints it in JSON: an int when it is a safe integer, else a float, NaN and infinities by name. */
export function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 && Object.is(value, -0) ? '-0.0' : String(value);
  return Number.isFinite(value) ? floatRepr(value) : String(value);
}
