/** Bytes as Python's codecs take them: UTF-8 or base64, refused or skipped where Python refuses or skips. */
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '../errors.ts';

/** Any Uint8Array as a Buffer on the same memory. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @throws DecodeError when the bytes are no UTF-8 (lone surrogates included), as `bytes.decode()` */
export function decodeUtf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new DecodeError('the bytes are not valid UTF-8');
  return toBuffer(bytes).toString('utf8');
}

/** Whether a string can be written as UTF-8: it holds no lone surrogate. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/**
 * As `base64.b64decode`: foreign characters are skipped, what follows the padding is ignored.
 * @throws DecodeError when the padding is missing
 */
export function decodeBase64(text: string): Buffer {
  const known = text.replace(/[^A-Za-z0-9+/=]+/g, '');
  if (known.length % 4 === 0 && /^[^=]*={0,2}$/.test(known)) return Buffer.from(known, 'base64');
  let digits = '';
  let padding = 0;
  for (const character of known) {
    if (character === '=') {
      const place = digits.length % 4;
      padding += 1;
      if (place >= 2 && place + padding >= 4) return Buffer.from(digits, 'base64');
    } else {
      digits += character;
      padding = 0; // Python forgets a lone = inside a group of four
    }
  }
  if (digits.length % 4 !== 0) throw new DecodeError('base64 text is cut short');
  return Buffer.from(digits, 'base64');
}
