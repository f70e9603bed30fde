/**
 * What a task's callers see of its types, worked out from the handler or the schema. No code runs here; the proofs are
 * in test/types. The client says what a task is (`Kind`); this file says with which arguments and result.
 */
import { type TaskContext } from './context.ts';
import { type TaskHooks, type TaskOptions } from './options.ts';
import { type SchemaInput, type SchemaOutput, type StandardSchema } from './standard-schema.ts';

/** What comes back from a handler once stored: awaited, and null where it returned nothing. */
export type TaskResult<Returned> = [Awaited<Returned>] extends [never]
  ? never
  : unknown extends Awaited<Returned>
    ? Awaited<Returned>
    : NothingAsNull<Awaited<Returned>>;

// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- what a handler without a return gives
type NothingAsNull<Value> = Value extends void | undefined ? null : Value;

/**
 * A type function of two arguments, which TypeScript lacks: `args` and `result` are filled in, `type` is read.
 *
 * @example interface ClientTask extends TaskKind { type: Task<KindArgs<this>, this['result']> }
 */
export interface TaskKind {
  readonly args: unknown;
  readonly result: unknown;
  readonly type: unknown;
}

/** The arguments within a kind, known to be a list. */
export type KindArgs<Kind extends TaskKind> = Extract<Kind['args'], readonly unknown[]>;

export type ApplyKind<Kind extends TaskKind, Args extends readonly unknown[], Result> = (Kind & {
  readonly args: Args;
  readonly result: Result;
})['type'];

/** Options without those that change what the handler receives, so that each overload states its own. */
type OtherOptions<Context> = Omit<TaskOptions<Context>, 'bind' | 'args'>;

/**
 * Any handler. `never` for its parameters lets each keep its own type: where one has no annotation but a default, as in
 * `z = 0`, TypeScript takes the default's type in place of never, but would take unknown as it is.
 */
type AnyHandler = (...args: never[]) => unknown;
type AnyBoundHandler<Context> = (task: Context, ...args: never[]) => unknown;

/** A handler object: its method, and hooks beside it. */
type HandlerObject<Context> = { run(...args: never[]): unknown } & TaskHooks<Context>;
type HandlerClass<Instance> = new () => Instance;
type BoundObject<Context> = { run(task: Context, ...args: never[]): unknown } & TaskHooks<Context>;

type OrClass<Instance> = Instance | HandlerClass<Instance>;
type SchemaObject<Context, Schema extends StandardSchema, Returned> = OrClass<
  { run(input: SchemaOutput<Schema>): Returned } & TaskHooks<Context>
>;
type BoundSchemaObject<Context, Schema extends StandardSchema, Returned> = OrClass<
  { run(task: Context, input: SchemaOutput<Schema>): Returned } & TaskHooks<Context>
>;

type ArgsOf<Handler> = Handler extends (...args: infer Args) => unknown ? Args : never;
type ReturnOf<Handler> = Handler extends (...args: never) => infer Returned ? Returned : never;
type WithoutFirst<Args extends readonly unknown[]> = Args extends []
  ? []
  : Args extends readonly [unknown?, ...infer Rest]
    ? Rest
    : Args;

/**
 * The overloads of `app.task`. `Context` is what a bound handler receives, `Kind` makes the task's type of its
 * arguments and result. A task with a schema is called with one object: the schema's input.
 */
export interface DefineTask<Context, Kind extends TaskKind> {
  /** Plain: every parameter is an argument. */
  <Handler extends AnyHandler>(
    name: string,
    handler: Handler,
  ): ApplyKind<Kind, ArgsOf<Handler>, TaskResult<ReturnOf<Handler>>>;

  /** Bound, with a schema: the context, then the one object. A function, or a class or object with a method `run`. */
  <Schema extends StandardSchema, Returned>(
    name: string,
    options: OtherOptions<Context> & { readonly bind: true; readonly args: Schema },
    handler: ((task: Context, input: SchemaOutput<Schema>) => Returned) | BoundSchemaObject<Context, Schema, Returned>,
  ): ApplyKind<Kind, [input: SchemaInput<Schema>], TaskResult<Returned>>;

  /** With a schema: the one object. */
  <Schema extends StandardSchema, Returned>(
    name: string,
    options: OtherOptions<Context> & { readonly bind?: false; readonly args: Schema },
    handler: ((input: SchemaOutput<Schema>) => Returned) | SchemaObject<Context, Schema, Returned>,
  ): ApplyKind<Kind, [input: SchemaInput<Schema>], TaskResult<Returned>>;

  /** Bound: the context, then the arguments. */
  <Handler extends AnyBoundHandler<Context>>(
    name: string,
    options: OtherOptions<Context> & { readonly bind: true; readonly args?: never },
    handler: Handler,
  ): ApplyKind<Kind, WithoutFirst<ArgsOf<Handler>>, TaskResult<ReturnOf<Handler>>>;

  /** Plain, with options. */
  <Handler extends AnyHandler>(
    name: string,
    options: OtherOptions<Context> & { readonly bind?: false; readonly args?: never },
    handler: Handler,
  ): ApplyKind<Kind, ArgsOf<Handler>, TaskResult<ReturnOf<Handler>>>;

  /** A class, or an object, with a method `run` and hooks: every parameter is an argument. */
  <Instance extends HandlerObject<Context>>(
    name: string,
    handler: OrClass<Instance>,
  ): ApplyKind<Kind, ArgsOf<Instance['run']>, TaskResult<ReturnOf<Instance['run']>>>;

  /** A class or object, bound: the context, then the arguments. */
  <Instance extends BoundObject<Context>>(
    name: string,
    options: OtherOptions<Context> & { readonly bind: true; readonly args?: never },
    handler: OrClass<Instance>,
  ): ApplyKind<Kind, WithoutFirst<ArgsOf<Instance['run']>>, TaskResult<ReturnOf<Instance['run']>>>;

  /** A class or object with options. */
  <Instance extends HandlerObject<Context>>(
    name: string,
    options: OtherOptions<Context> & { readonly bind?: false; readonly args?: never },
    handler: OrClass<Instance>,
  ): ApplyKind<Kind, ArgsOf<Instance['run']>, TaskResult<ReturnOf<Instance['run']>>>;
}

/**
 * Arguments of a signature, of which the first may still come from the task before it in a chain: any tail of the
 * task's arguments, or all of them, optional ones left out as they please.
 */
export type PartialArgs<Args extends readonly unknown[]> = Args extends readonly []
  ? Args
  : Args extends readonly [unknown?, ...infer Tail]
    ? number extends Args['length']
      ? Args | (Args extends readonly [unknown, ...infer _] ? PartialArgs<Tail> : never)
      : Args | PartialArgs<Tail>
    : Args;

/** Handlers to check by hand: `satisfies BoundHandler<[url: string], string>`. */
export type BoundHandler<Args extends unknown[], Returned, App = unknown> = (
  task: TaskContext<App>,
  ...args: Args
) => Returned | Promise<Returned>;
