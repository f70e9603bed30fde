/**
 * What may stand in kombu's `unacked` hash, and how a message is put there and marked on its way back, byte by byte:
 * nothing here decodes and encodes again, so numbers, key order and foreign escapes survive.
 * Counterpart: restore_by_tag and _do_restore_message in kombu/transport/redis.py, 5.6.2, which any Python worker,
 * `inspect` or Flower runs over our entries. One bad entry makes it exit, or lose the message in silence.
 */
import { TextDecoder } from 'node:util';
import { DecodeError } from '../errors.ts';
import {
  expectEnd,
  isObjectAt,
  isStringAt,
  lastMember,
  scanElements,
  scanMembers,
  type MemberSpan,
} from './json-scan.ts';
import { loads } from './json.ts';
import { MAX_INT_DIGITS } from './python-number.ts';

/** Python's own parser gives up somewhere below 1,000; nothing sane comes near a tenth of it. */
const MAX_DEPTH = 100;

/** What an entry of `unacked` holds. */
export interface UnackedEntry {
  /** Text of the envelope, exactly as it stands in the entry. */
  raw: string;
  exchange: string;
  routingKey: string;
}

/**
 * Lets only those envelopes pass which Python's kombu could take out of `unacked` and restore without harm: JSON it
 * accepts, at most 100 levels deep, no integer over 4,300 digits, extended types that decode, `headers` an object (or
 * absent: Python then skips the flags), `properties.delivery_info` an object, `properties.delivery_tag` a string.
 * @param raw the envelope as Redis has it. Text that was decoded from invalid UTF-8 cannot be told from text that
 * really has a U+FFFD in it, and is refused; given the bytes, only those that are not UTF-8 are.
 * @throws DecodeError with the reason
 */
export function assertRestorable(raw: string | Uint8Array): void {
  const text = typeof raw === 'string' ? raw : decodeUtf8(raw);
  if (typeof raw === 'string' && raw.includes('\uFFFD'))
    throw new DecodeError('envelope may hold bytes that are not UTF-8');

  const { members, end } = scanMembers(text, 0, { maxDepth: MAX_DEPTH - 1, maxIntDigits: MAX_INT_DIGITS });
  expectEnd(text, end);

  const headers = lastMember(text, members, 'headers');
  if (headers !== undefined) expectObject(text, headers, 'headers');
  const properties = membersOf(text, members, 'properties');
  const deliveryInfo = lastMember(text, properties, 'delivery_info');
  if (deliveryInfo === undefined) throw new DecodeError('envelope has no properties.delivery_info');
  expectObject(text, deliveryInfo, 'properties.delivery_info');
  expectTag(text, lastMember(text, properties, 'delivery_tag'));
  expectPriority(text, lastMember(text, properties, 'priority'));

  // A key may spell __type__ with escapes, so any escape of an ASCII character is reason enough for the slow look.
  if (text.includes('__type__') || text.includes('\\u00')) expectExtendedTypesDecode(text);
}

/**
 * Sets `headers.redelivered` and `properties.delivery_info.redelivered` to true, as a restore does, and leaves every
 * other character as it is. What is repeated is set where parsers look: in the last one. Missing `headers` and
 * `delivery_info` are added.
 * @param raw JSON text, or its bytes read as latin1
 * @throws DecodeError when this is no JSON object, has no properties, or one of the objects to write in is none
 */
export function markRedelivered(raw: string): string {
  const { members, end } = scanMembers(raw, 0);
  expectEnd(raw, end);
  const headers = lastMember(raw, members, 'headers');
  const headersEdit =
    headers === undefined
      ? insertMember(members, end, '"headers": {"redelivered": true}')
      : setFlag(raw, headers, 'headers');

  const propertiesMember = lastMember(raw, members, 'properties');
  if (propertiesMember === undefined) throw new DecodeError('envelope has no properties');
  expectObject(raw, propertiesMember, 'properties');
  const properties = scanMembers(raw, propertiesMember.valueStart);
  const deliveryInfo = lastMember(raw, properties.members, 'delivery_info');
  const propertiesEdit =
    deliveryInfo === undefined
      ? insertMember(properties.members, properties.end, '"delivery_info": {"redelivered": true}')
      : setFlag(raw, deliveryInfo, 'properties.delivery_info');

  // The later one first, so that the positions of the other stay true.
  return headersEdit.start > propertiesEdit.start
    ? apply(apply(raw, headersEdit), propertiesEdit)
    : apply(apply(raw, propertiesEdit), headersEdit);
}

/**
 * Gives an envelope without `headers`, or with `headers: null`, the empty object that every consumer reads there: a
 * restore by Python would lose a message with null. All other text stays.
 * @throws DecodeError when this is no JSON object
 */
export function normalizeHeaders(raw: string): string {
  const { members, end } = scanMembers(raw, 0);
  expectEnd(raw, end);
  const headers = lastMember(raw, members, 'headers');
  if (headers === undefined) return apply(raw, insertMember(members, end, '"headers": {}'));
  if (raw.slice(headers.valueStart, headers.valueEnd) !== 'null') return raw;
  return apply(raw, { start: headers.valueStart, end: headers.valueEnd, text: '{}' });
}

/**
 * The value for `unacked`: the envelope as it is, no exchange, and the queue it was popped from. A named exchange
 * would send the restored message to every queue bound to it, or to none.
 */
export function entryText(raw: string, queue: string): string {
  return `[${raw}, "", ${asciiString(queue)}]`;
}

/**
 * Takes an entry of `unacked` apart without decoding the envelope.
 * @throws DecodeError when it is no `[envelope object, string, string]`
 */
export function parseEntry(text: string): UnackedEntry {
  const { elements, end } = scanElements(text, 0);
  expectEnd(text, end);
  const [envelope, exchange, routingKey] = elements;
  if (elements.length !== 3 || envelope === undefined || exchange === undefined || routingKey === undefined) {
    throw new DecodeError(`unacked entry has ${elements.length} elements instead of 3`);
  }
  if (!isObjectAt(text, envelope.start)) throw new DecodeError('unacked entry has no envelope object in it');
  if (!isStringAt(text, exchange.start) || !isStringAt(text, routingKey.start)) {
    throw new DecodeError('unacked entry has no strings for exchange and routing key');
  }
  return {
    raw: text.slice(envelope.start, envelope.end),
    exchange: JSON.parse(text.slice(exchange.start, exchange.end)) as string,
    routingKey: JSON.parse(text.slice(routingKey.start, routingKey.end)) as string,
  };
}

/** Keeps a byte order mark, which Python's json refuses too. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new DecodeError('envelope is not UTF-8', { cause });
  }
}

function membersOf(text: string, members: readonly MemberSpan[], name: string): MemberSpan[] {
  const member = lastMember(text, members, name);
  if (member === undefined) throw new DecodeError(`envelope has no ${name}`);
  expectObject(text, member, name);
  return scanMembers(text, member.valueStart).members;
}

function expectObject(text: string, member: MemberSpan, name: string): void {
  if (!isObjectAt(text, member.valueStart)) throw new DecodeError(`envelope has ${name} that is no object`);
}

function expectTag(text: string, member: MemberSpan | undefined): void {
  if (member === undefined || !isStringAt(text, member.valueStart)) {
    throw new DecodeError('envelope has no string properties.delivery_tag');
  }
  const tag = JSON.parse(text.slice(member.valueStart, member.valueEnd)) as string;
  if (/\p{Surrogate}/u.test(tag)) throw new DecodeError('envelope has a delivery tag that is no valid Unicode');
}

/** Python's int() of an infinite number raises what the restore does not expect, and it loses the message. */
function expectPriority(text: string, member: MemberSpan | undefined): void {
  if (member === undefined) return;
  const value = text.slice(member.valueStart, member.valueEnd);
  const isInfinite = !isStringAt(text, member.valueStart) && Math.abs(Number(value)) === Infinity;
  if (isInfinite || isObjectAt(text, member.valueStart)) {
    throw new DecodeError(`envelope has a priority that is no number: ${value.slice(0, 40)}`);
  }
}

function expectExtendedTypesDecode(text: string): void {
  const envelope = loads(text) as Record<string, unknown>;
  const properties = envelope['properties'] as Record<string, unknown>;
  const objects = { headers: envelope['headers'] ?? {}, properties, delivery_info: properties['delivery_info'] };
  for (const [name, value] of Object.entries(objects)) {
    if (!isPlainObject(value)) throw new DecodeError(`envelope has ${name} of an extended type`);
  }
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

function apply(raw: string, edit: Edit): string {
  return raw.slice(0, edit.start) + edit.text + raw.slice(edit.end);
}

function setFlag(raw: string, member: MemberSpan, name: string): Edit {
  expectObject(raw, member, name);
  const { members, end } = scanMembers(raw, member.valueStart);
  const flag = lastMember(raw, members, 'redelivered');
  if (flag === undefined) return insertMember(members, end, '"redelivered": true');
  return { start: flag.valueStart, end: flag.valueEnd, text: 'true' };
}

/** Adds a member behind the last one of an object that ends at `end`. */
function insertMember(members: readonly MemberSpan[], end: number, member: string): Edit {
  const last = members.at(-1);
  if (last !== undefined) return { start: last.valueEnd, end: last.valueEnd, text: `, ${member}` };
  return { start: end - 1, end: end - 1, text: member };
}

/** A JSON string in ASCII, so that it may stand in text and in bytes read as latin1 alike. */
function asciiString(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
