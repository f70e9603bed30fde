/**
 * Proofs about src/tasks/typing.ts, checked by tsc and never run. Each `@ts-expect-error` fails the check when the line
 * below it starts to compile.
 */
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters -- names stand here for their types alone */
import { z } from 'zod';
import { TaskHandler } from '../../src/tasks/handler.ts';
import { defineResource } from '../../src/tasks/resources.ts';
import { type TaskContext } from '../../src/tasks/context.ts';
import {
  type BoundHandler,
  type DefineTask,
  type KindArgs,
  type PartialArgs,
  type TaskKind,
  type TaskResult,
} from '../../src/tasks/typing.ts';

/** A task as a client may have it; the real one adds to this. */
interface Task<Args extends readonly unknown[], Result> {
  delay(...args: Args): Promise<{ get(): Promise<Result> }>;
  s(...args: PartialArgs<Args>): unknown;
}

interface ToTask extends TaskKind {
  readonly type: Task<KindArgs<this>, this['result']>;
}

interface App {
  readonly main: string;
}

declare const task: DefineTask<TaskContext<App>, ToTask>;

declare const context: TaskContext<App>;

/** Compiles only for two types that are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const proof = <_Holds extends true>(): void => undefined;

type ArgsOf<T> = T extends Task<infer Args, unknown> ? Args : never;
type ResultOf<T> = T extends Task<never, infer Result> ? Result : never;

export async function plainHandlers(): Promise<void> {
  const add = task('tasks.add', (x: number, y: number, z = 0) => x + y + z);
  proof<Same<typeof add, Task<[x: number, y: number, z?: number], number>>>();
  await add.delay(2, 2);
  await add.delay(2, 2, 2);
  // @ts-expect-error -- an argument is missing
  await add.delay(2);
  // @ts-expect-error -- one too many
  await add.delay(2, 2, 2, 2);
  // @ts-expect-error -- of the wrong type
  await add.delay('2', 2);

  const sum = task('tasks.sum', { acksLate: true }, async (first: string, ...more: number[]) => [first, more] as const);
  proof<Same<ArgsOf<typeof sum>, [first: string, ...more: number[]]>>();
  proof<Same<ResultOf<typeof sum>, readonly [string, number[]]>>();

  const unbound = task('tasks.t', { bind: false, maxRetries: null }, (x: TaskContext) => x.name);
  proof<Same<ArgsOf<typeof unbound>, [x: TaskContext]>>();
}

export async function boundHandlers(): Promise<void> {
  const fetchPage = task(
    'tasks.fetch',
    { bind: true, maxRetries: 3, retryBackoff: true, softTimeLimit: 20, acksLate: true },
    async (self: TaskContext, url: string) => self.name + url,
  );
  proof<Same<typeof fetchPage, Task<[url: string], string>>>();
  // @ts-expect-error -- the context is none of the arguments
  await fetchPage.delay(context, 'url');

  // The context is typed without being told, with the app of the one who defines.
  const inferred = task('tasks.t', { bind: true }, (self, x: number) => [self.app.main, x]);
  proof<Same<typeof inferred, Task<[x: number], (string | number)[]>>>();

  const withDefault = task('tasks.t', { bind: true }, (self, x: number, y = 'y') => [self.app.main, x, y]);
  proof<Same<ArgsOf<typeof withDefault>, [x: number, y?: string | undefined]>>();

  const none = task('tasks.t', { bind: true }, () => 5);
  proof<Same<typeof none, Task<[], number>>>();

  const alone = task('tasks.t', { bind: true }, (self) => self.request.id);
  proof<Same<ArgsOf<typeof alone>, []>>();

  // @ts-expect-error -- the first parameter of a bound handler is its context
  task('tasks.t', { bind: true }, (x: number) => x);

  const checked = (async (self, url) => self.name + url) satisfies BoundHandler<[url: string], string>;
  task('tasks.t', { bind: true }, checked);
}

export async function schemas(): Promise<void> {
  const args = z.object({
    version_id: z.string(),
    attributes: z.array(z.object({ id: z.string() })),
    limit: z.number().default(10),
    when: z.string().transform((text) => new Date(text)),
  });
  const profile = task('app.profile', { bind: true, args }, async (self, { version_id, attributes, limit, when }) => {
    proof<Same<typeof self, TaskContext<App>>>();
    proof<Same<typeof version_id, string>>();
    proof<Same<typeof attributes, { id: string }[]>>();
    proof<Same<typeof limit, number>>(); // the default is in
    proof<Same<typeof when, Date>>(); // the transform is done
    return limit;
  });
  // Callers give what the schema takes, before defaults and transforms.
  await profile.delay({ version_id: 'v', attributes: [], when: '2030-01-01' });
  // @ts-expect-error -- a key is missing
  await profile.delay({ version_id: 'v', attributes: [] });
  // @ts-expect-error -- of the wrong type
  await profile.delay({ version_id: 5, attributes: [], when: '2030-01-01' });
  proof<Same<ResultOf<typeof profile>, number>>();

  const plain = task('app.plain', { args: z.object({ x: z.number() }) }, ({ x }) => x);
  proof<Same<typeof plain, Task<[input: { x: number }], number>>>();

  // @ts-expect-error -- an object of functions is no schema
  task('app.t', { args: { x: () => 0 } }, () => 0);
}

export function optionNames(): void {
  task('tasks.t', { rateLimit: '10/m', throws: [TypeError, 'KeyError'], onFailure: (self) => self.name }, () => 0);
  // @ts-expect-error -- Celery's own spelling
  task('tasks.t', { acks_late: true }, () => 0);
  // @ts-expect-error -- of the wrong type
  task('tasks.t', { timeLimit: '10' }, () => 0);
}

export function results(): void {
  proof<Same<TaskResult<Promise<number>>, number>>();
  proof<Same<TaskResult<void>, null>>();
  proof<Same<TaskResult<Promise<void>>, null>>();
  proof<Same<TaskResult<string | undefined>, string | null>>();
  proof<Same<TaskResult<Promise<string> | number>, string | number>>();
  proof<Same<TaskResult<never>, never>>();
  proof<Same<TaskResult<unknown>, unknown>>();
}

export function partialArguments(): void {
  const add = task('tasks.add', (x: number, y: string, z = 0) => [x, y, z]);
  add.s(1, 'y', 2);
  add.s(1, 'y');
  add.s('y', 2); // x comes from the task before
  add.s('y');
  add.s(2); // x and y come from a task before
  add.s();
  // @ts-expect-error -- no tail of the arguments
  add.s(true);
  // @ts-expect-error -- too many
  add.s(1, 'y', 2, 3);
}

export async function classes(): Promise<void> {
  class Import extends TaskHandler<App> {
    async run(url: string, limit = 10): Promise<number> {
      proof<Same<typeof this.app, App>>();
      return url.length + limit + this.request.retries;
    }
    beforeStart(self: TaskContext): void {
      self.local['startedAt'] = Date.now();
    }
  }
  const byClass = task('tasks.import', Import);
  proof<Same<typeof byClass, Task<[url: string, limit?: number], number>>>();
  const byInstance = task('tasks.import', { maxRetries: 5 }, new Import());
  proof<Same<typeof byInstance, Task<[url: string, limit?: number], number>>>();
  // @ts-expect-error -- of the wrong type
  await byClass.delay(5);

  // Any class with a method run will do.
  class Bound {
    readonly prefix: string;
    constructor(prefix = '') {
      this.prefix = prefix;
    }
    run(self: TaskContext<App>, x: number): string {
      return `${this.prefix}${self.app.main}${x}`;
    }
    onFailure(self: TaskContext<App>, error: unknown): void {
      self.logger.error(String(error));
    }
  }
  const bound = task('tasks.bound', { bind: true }, new Bound('p'));
  proof<Same<typeof bound, Task<[x: number], string>>>();
  task('tasks.bound', { bind: true }, Bound);

  class WithSchema {
    run({ x }: { x: number }): number {
      return x;
    }
  }
  const schema = task('tasks.schema', { args: z.object({ x: z.number() }) }, WithSchema);
  proof<Same<typeof schema, Task<[input: { x: number }], number>>>();

  class Handlerless {
    readonly x = 1;
  }
  // @ts-expect-error -- no method run
  task('tasks.t', Handlerless);
  class WrongHook {
    run(): number {
      return 1;
    }
    onFailure(_self: number): void {
      // never called
    }
  }
  // @ts-expect-error -- a hook gets the context
  task('tasks.t', WrongHook);
}

export async function resources(self: TaskContext<App>): Promise<void> {
  const database = defineResource({
    open: async () => ({ query: (sql: string) => sql.length }),
    commit: (db) => db.query('COMMIT'),
  });
  const db = await self.resource(database);
  proof<Same<typeof db, { query: (sql: string) => number }>>();
  const saved = await self.checkpoint.load<{ index: number }>();
  proof<Same<typeof saved, { index: number } | null>>();
}
