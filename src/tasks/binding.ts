/**
 * Binds a message's args and kwargs to a handler's parameters as Python binds a call, with Python's own wording for
 * each way it can fail. Counterpart: CPython's frame set-up (3.11, initialize_locals); the order of the checks is its
 * order. Compiled once per task type; the common call (positional only, a fitting number) hands its args through.
 */
import { setOwn } from '../protocol/own-property.ts';
import { type HandlerParameters } from './parameters.ts';

export type Args = readonly unknown[];
export type Kwargs = Readonly<Record<string, unknown>>;

/** Gives the handler's arguments, without the context. Throws a TypeError, which is stored as Python's. */
export type Binder = (args: Args, kwargs: Kwargs) => Args;

/**
 * @param functionName - what Python's messages put before `()`.
 * @param bind - the handler's first parameter is the context, which counts as an argument in messages as `self` does.
 */
export function compileBinding(functionName: string, { context, parameters }: HandlerParameters, bind = false): Binder {
  const positional = parameters.filter(({ kind }) => kind === 'positional');
  const count = positional.length;
  const indexOf = new Map(positional.map(({ name }, index) => [name, index]));
  const requiredNames = positional.flatMap(({ name, required }, index) => (required ? [{ name, index }] : []));
  const enough = (requiredNames.at(-1)?.index ?? -1) + 1;
  const leftOver = parameters.find(({ kind }) => kind === 'rest' || kind === 'varargs');
  const takesKeywords = parameters.some(({ kind }) => kind === 'keywords');
  const most = leftOver === undefined ? count : Infinity;
  const needsNoCollecting = leftOver?.kind !== 'varargs' && !takesKeywords;
  const implicit = bind ? 1 : 0;

  const fail = (text: string) => new TypeError(`${functionName}() ${text}`);

  const bindInFull: Binder = (args, kwargs) => {
    const values: unknown[] = args.slice(0, count);
    while (values.length < count) values.push(undefined);
    const keywords: Record<string, unknown> = {};
    const given = new Set<number>();
    for (const name of Object.keys(kwargs)) {
      const index = indexOf.get(name);
      if (index !== undefined) {
        if (index < args.length) throw fail(`got multiple values for argument '${name}'`);
        values[index] = kwargs[name];
        given.add(index);
      } else if (bind && name === context) {
        throw fail(`got multiple values for argument '${name}'`);
      } else if (takesKeywords) {
        setOwn(keywords, name, kwargs[name]);
      } else {
        throw fail(`got an unexpected keyword argument '${name}'`);
      }
    }
    if (args.length > most) {
      const least = requiredNames.length + implicit;
      const top = count + implicit;
      throw fail(tooMany(least, top, args.length + implicit));
    }
    const missing = requiredNames.filter(({ index }) => index >= args.length && !given.has(index));
    if (missing.length > 0) throw fail(missingArguments(missing.map(({ name }) => name)));
    if (leftOver?.kind === 'varargs') values.push(args.slice(count));
    if (leftOver?.kind === 'rest') for (let index = count; index < args.length; index += 1) values.push(args[index]);
    if (takesKeywords) values.push(keywords);
    return values;
  };

  return (args, kwargs) =>
    needsNoCollecting && args.length >= enough && args.length <= most && Object.keys(kwargs).length === 0
      ? args
      : bindInFull(args, kwargs);
}

/** `takes from 1 to 2 positional arguments but 3 were given`; the numbers count the context of a bound task. */
export function tooMany(least: number, most: number, given: number): string {
  const range = least === most ? `${most}` : `from ${least} to ${most}`;
  const noun = least === most && most === 1 ? 'argument' : 'arguments';
  return `takes ${range} positional ${noun} but ${given} ${given === 1 ? 'was' : 'were'} given`;
}

function missingArguments(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name}'`);
  const last = quoted.at(-1) ?? '';
  const list = quoted.length < 3 ? quoted.join(' and ') : `${quoted.slice(0, -1).join(', ')}, and ${last}`;
  return `missing ${names.length} required positional ${names.length === 1 ? 'argument' : 'arguments'}: ${list}`;
}
