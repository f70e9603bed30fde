/**
 * Binding for tasks with a schema: whatever way the producer passed the arguments, they become one object, which the
 * schema checks and converts. Counterpart: Celery's `pydantic=True` (celery/app/base.py, pydantic_wrapper).
 * Invariant: the handler never runs on arguments the schema refused.
 */
import { ConfigError, ValidationError } from '../errors.ts';
import { tooMany, type Args, type Kwargs } from './binding.ts';
import { setOwn } from '../protocol/own-property.ts';
import { isStandardSchema, schemaKeys, type SchemaIssue, type SchemaResult } from './standard-schema.ts';

/** Gives the checked object; a promise of it when the schema is asynchronous. Throws TypeError or ValidationError. */
export type SchemaBinder = (args: Args, kwargs: Kwargs) => unknown;

/**
 * Positional arguments take the schema's keys in order, keywords go by name. A single positional object whose keys all
 * belong to the schema may stand for the whole when it does not fit as the first argument: that is how a Python
 * producer calls a task with a pydantic model.
 *
 * @param params - names for positional arguments, where the schema does not tell its keys or in another order.
 * @throws ConfigError when `schema` is no Standard Schema.
 */
export function compileSchema(
  taskName: string,
  functionName: string,
  schema: unknown,
  params?: readonly string[],
): SchemaBinder {
  if (!isStandardSchema(schema)) {
    throw new ConfigError(
      `task "${taskName}": args is no schema; give a zod object (3.24 or later) or any other Standard Schema`,
    );
  }
  const names = params ?? schemaKeys(schema);
  const validate = schema['~standard'].validate;

  const byName = (args: Args, kwargs: Kwargs): Kwargs => {
    if (args.length > (names?.length ?? 0)) {
      throw new TypeError(`${functionName}() ${tooMany(0, names?.length ?? 0, args.length)}`);
    }
    const input: Record<string, unknown> = {};
    for (const [index, value] of args.entries()) setOwn(input, names?.[index] ?? '', value);
    for (const name of Object.keys(kwargs)) {
      if (Object.hasOwn(input, name))
        throw new TypeError(`${functionName}() got multiple values for argument '${name}'`);
      // Not a name any schema declares, and not one to hand to code that copies objects.
      if (name === '__proto__') throw new TypeError(`${functionName}() got an unexpected keyword argument '${name}'`);
      input[name] = kwargs[name];
    }
    return input;
  };

  const accept = (result: SchemaResult<unknown>): unknown => {
    if (result.issues !== undefined) throw refusal(functionName, result.issues);
    return result.value;
  };

  /** Tries the whole object only after the named arguments failed; when both fail, the whole object's report is of use. */
  const orWhole = (result: SchemaResult<unknown>, whole: unknown): unknown => {
    if (result.issues === undefined) return result.value;
    const second = validate(whole);
    return second instanceof Promise ? second.then(accept) : accept(second);
  };

  return (args, kwargs) => {
    const whole = asWhole(args, kwargs, names);
    if (whole !== undefined && names === null) {
      const only = validate(whole);
      return only instanceof Promise ? only.then(accept) : accept(only);
    }
    const result = validate(byName(args, kwargs));
    if (whole === undefined) return result instanceof Promise ? result.then(accept) : accept(result);
    return result instanceof Promise ? result.then((first) => orWhole(first, whole)) : orWhole(result, whole);
  };
}

function asWhole(args: Args, kwargs: Kwargs, names: readonly string[] | null): unknown {
  if (args.length !== 1 || Object.keys(kwargs).length > 0) return undefined;
  const [value] = args;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const keys = Object.keys(value);
  if (names === null) return value;
  return keys.length > 0 && keys.every((key) => names.includes(key)) ? value : undefined;
}

/** As many problems as a person reads; a list of 10 000 bad rows must not become a result of megabytes. */
const listedIssues = 50;

function refusal(functionName: string, issues: readonly SchemaIssue[]): ValidationError {
  const all = issues.map(({ message, path = [] }) => ({
    path: path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.'),
    message,
  }));
  const lines = all.slice(0, listedIssues).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (all.length > listedIssues) lines.push(`... and ${all.length - listedIssues} more`);
  const count = `${all.length} validation ${all.length === 1 ? 'error' : 'errors'}`;
  return new ValidationError(`${count} for ${functionName}\n${lines.join('\n')}`, all.slice(0, listedIssues));
}
