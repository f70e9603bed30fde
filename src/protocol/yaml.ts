/**
 * YAML as PyYAML's safe_load reads it (what safe_dump writes: yaml-dump.ts). Counterpart: yaml/constructor.py, 6.0.3.
 * The syntax is read by the yaml package; what nodes mean is decided here, since its 1.1 schema differs from PyYAML's.
 * Mappings become objects, so a key that is no string becomes its text as in JSON; !!set is a Set, !!omap and !!pairs
 * are lists of pairs. Aliases share one value as in Python, but their expanded size is limited.
 */
import { Composer, type CST, isAlias, isMap, isScalar, isSeq, type Node, Parser, type YAMLMap } from 'yaml';
import { DecodeError } from '../errors.ts';
import { MAX_DEPTH } from './encodable.ts';
import { setOwn } from './own-property.ts';
import { numberText } from './python-number.ts';
import { DateTime, PlainDate } from './typed-values.ts';
import { constructScalar, resolvePlain, type ScalarTag } from './yaml-scalar.ts';

/** How many nodes a document may have once its aliases are written out: encoding or printing a value writes them out. */
const MAX_EXPANDED_NODES = 1_000_000;

const TAG_PREFIX = 'tag:yaml.org,2002:';
const SCALAR_TAGS = new Set<string>(['bool', 'float', 'int', 'null', 'timestamp', 'str', 'binary']);

// As PyYAML's reader: printable characters, tab, line breaks, NEL; a byte order mark may come first.
const UNPRINTABLE = /[^\t\n\r -~\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/**
 * One YAML document; none is null.
 * @throws DecodeError on bad syntax, a tag that safe_load does not know, several documents, too deep or large a value
 */
export function loadYaml(text: string): unknown {
  const unprintable = UNPRINTABLE.exec(text);
  if (unprintable !== null) throw new DecodeError(`invalid YAML: unprintable character at ${unprintable.index}`);
  const tokens = [...new Parser().parse(text)];
  for (const token of tokens) checkDepth(token, 1);
  const composer = new Composer({ version: '1.1', schema: 'failsafe', uniqueKeys: false, prettyErrors: false });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  const error = document?.errors[0];
  if (error !== undefined) throw new DecodeError(`invalid YAML: ${error.message} at character ${error.pos[0]}`);
  if (second !== undefined) throw new DecodeError('invalid YAML: more than one document');
  return document?.contents ? new YamlConstructor().construct(document.contents).value : null;
}

/**
 * The package composes nodes by recursion, and running out of stack inside it can end the process (a regular expression
 * compiled there finds no memory), which no catch prevents. Its tokens, made without recursion, tell the depth before.
 */
function checkDepth(token: CST.Token | null | undefined, depth: number): void {
  if (token === null || token === undefined) return;
  if (depth > MAX_DEPTH) throw new DecodeError(`YAML is nested more than ${MAX_DEPTH} levels deep`);
  if (token.type === 'document') {
    checkDepth(token.value, depth);
  } else if ('items' in token) {
    for (const item of token.items) {
      checkDepth(item.key, depth + 1);
      checkDepth(item.value, depth + 1);
    }
  }
}

interface Constructed {
  readonly value: unknown;
  /** How many nodes it has with all aliases written out. */
  readonly size: number;
}

/** A mapping's pairs with their merges, in the order in which they are set: later ones win. */
type Pairs = (readonly [key: string, value: unknown])[];

class YamlConstructor {
  readonly #anchors = new Map<string, Constructed | 'open'>();
  readonly #pairs = new WeakMap<object, Pairs>();

  construct(node: Node | null): Constructed {
    if (node === null) return { value: null, size: 1 };
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined) throw new DecodeError(`invalid YAML: no anchor &${node.source} before its alias`);
      if (target === 'open') throw new DecodeError(`invalid YAML: &${node.source} contains itself`);
      return target;
    }
    const anchor = 'anchor' in node ? (node.anchor as string | undefined) : undefined;
    if (anchor !== undefined) {
      if (this.#anchors.has(anchor)) throw new DecodeError(`invalid YAML: &${anchor} is there twice`);
      this.#anchors.set(anchor, 'open');
    }
    const constructed = this.#constructNode(node);
    if (constructed.size > MAX_EXPANDED_NODES) {
      throw new DecodeError(`YAML with its aliases written out has more than ${MAX_EXPANDED_NODES} nodes`);
    }
    if (anchor !== undefined) this.#anchors.set(anchor, constructed);
    return constructed;
  }

  #constructNode(node: Node): Constructed {
    if (isScalar(node)) {
      const text = typeof node.value === 'string' ? node.value : '';
      return { value: constructScalar(scalarTag(node.tag, node.type === 'PLAIN', text), text), size: 1 };
    }
    if (isMap(node)) return this.#constructMapping(node as YAMLMap<Node, Node | null>);
    if (isSeq(node)) return this.#constructSequence(node.tag, node.items as (Node | null)[]);
    throw new DecodeError('invalid YAML: a node of no known kind');
  }

  #constructSequence(fullTag: string | undefined, nodes: readonly (Node | null)[]): Constructed {
    const tag = collectionTag(fullTag, 'seq', ['seq', 'omap', 'pairs']);
    const items: unknown[] = [];
    let size = 1;
    for (const node of nodes) {
      if (tag !== 'seq' && !(isMap(node) && node.items.length === 1)) {
        throw new DecodeError(`invalid YAML: !!${tag} is a list of mappings with one key each`);
      }
      const item = this.construct(node);
      size += item.size;
      items.push(tag === 'seq' ? item.value : Object.entries(item.value as object)[0]);
    }
    return { value: items, size };
  }

  #constructMapping(node: YAMLMap<Node, Node | null>): Constructed {
    const tag = collectionTag(node.tag, 'map', ['map', 'set']);
    const merged: Pairs = [];
    const own: Pairs = [];
    let size = 1;
    for (const { key, value } of node.items) {
      const isMerge = isScalar(key) && key.tag === undefined && key.type === 'PLAIN' && key.value === '<<';
      const item = this.construct(value);
      size += item.size;
      if (isMerge) {
        const { pairs, count } = this.#mergedPairs(item.value);
        size += count;
        // What a single << names comes in order; of a list of mappings the first wins.
        for (const pair of pairs) merged.push(pair);
      } else {
        own.push([keyText(this.#constructKey(key)), item.value]);
        size += 1;
      }
      if (size > MAX_EXPANDED_NODES) break;
    }
    const pairs = merged.length === 0 ? own : [...merged, ...own];
    if (tag === 'set') return { value: new Set(pairs.map(([key]) => key)), size };
    const object: Record<string, unknown> = {};
    for (const [key, value] of pairs) setOwn(object, key, value);
    this.#pairs.set(object, pairs);
    return { value: object, size };
  }

  #constructKey(key: Node | null): unknown {
    // A bare = is the "default value" key of YAML 1.1; PyYAML reads it as a string, in this place only.
    if (isScalar(key) && key.tag === undefined && key.type === 'PLAIN' && key.value === '=') return '=';
    return this.construct(key).value;
  }

  #mergedPairs(source: unknown): { pairs: Pairs; count: number } {
    const sources: unknown[] = Array.isArray(source) ? [...(source as unknown[])].reverse() : [source];
    const pairs: Pairs = [];
    for (const each of sources) {
      const theirs = typeof each === 'object' && each !== null ? this.#pairs.get(each) : undefined;
      if (theirs === undefined) throw new DecodeError('invalid YAML: << takes a mapping or a list of mappings');
      if (pairs.length + theirs.length > MAX_EXPANDED_NODES) {
        throw new DecodeError(`YAML with its merges has more than ${MAX_EXPANDED_NODES} nodes`);
      }
      for (const pair of theirs) pairs.push(pair);
    }
    return { pairs, count: pairs.length };
  }
}

function scalarTag(tag: string | undefined, isPlain: boolean, text: string): ScalarTag {
  if (tag === undefined) return isPlain ? resolvePlain(text) : 'str';
  if (tag === '!') return resolvePlain(text); // PyYAML resolves it as if it were plain
  const name = tag.startsWith(TAG_PREFIX) ? tag.slice(TAG_PREFIX.length) : tag;
  if (tag.startsWith(TAG_PREFIX) && SCALAR_TAGS.has(name)) return name as ScalarTag;
  throw unknownTag(tag);
}

function collectionTag<T extends string>(tag: string | undefined, usual: T, known: readonly T[]): T {
  if (tag === undefined || tag === '!') return usual;
  const found = known.find((name) => tag === TAG_PREFIX + name);
  if (found === undefined) throw unknownTag(tag);
  return found;
}

function unknownTag(tag: string): DecodeError {
  return new DecodeError(`invalid YAML: tag ${JSON.stringify(tag.slice(0, 80))} is not allowed here`);
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (key === null || typeof key === 'boolean' || typeof key === 'bigint') return String(key);
  if (typeof key === 'number') return numberText(key);
  if (key instanceof PlainDate) return key.toString();
  if (key instanceof DateTime) return key.isoformat(' ') ?? '';
  throw new DecodeError('invalid YAML: a list, a mapping or bytes cannot be a key');
}
