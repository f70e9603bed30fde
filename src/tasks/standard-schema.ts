/**
 * The part of the Standard Schema interface (version 1; zod 3.24 and later, valibot, arktype ...) that tasks use, so that
 * no validation library is a dependency of the task layer.
 */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What producers may send for a schema: before defaults and transforms. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input'];

/** What the handler receives: after defaults and transforms. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output'];

export function isStandardSchema(value: unknown): value is StandardSchema {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  const standard: unknown = Reflect.get(value, '~standard');
  return typeof standard === 'object' && standard !== null && typeof Reflect.get(standard, 'validate') === 'function';
}

/**
 * The keys of an object schema in the order they were declared, by which positional arguments are named; null when the
 * schema does not tell. Zod keeps them in `shape`, valibot in `entries`.
 */
export function schemaKeys(schema: StandardSchema): readonly string[] | null {
  for (const place of ['shape', 'entries']) {
    const shape: unknown = Reflect.get(schema, place);
    if (typeof shape === 'object' && shape !== null) return Object.keys(shape);
  }
  return null;
}
