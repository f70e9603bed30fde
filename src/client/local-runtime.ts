/**
 * What tasks get that run without a worker: direct calls (`task.run()`) and eager ones. Nothing reaches Redis, unless
 * `task_store_eager_result` says that eager tasks store as those of a worker do.
 */
import type { Backend } from '../backend/backend.ts';
import { MemoryKeyValue } from '../backend/key-value.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../log.ts';
import { encodePayload } from '../protocol/serializers.ts';
import type { TaskRuntime } from '../tasks/context.ts';
import type { TaskRegistry } from '../tasks/registry.ts';
import type { TaskRequest } from '../tasks/request.ts';

/** What is needed of an app. */
export interface RuntimeApp {
  readonly config: Config;
  readonly registry: TaskRegistry;
  readonly logger: Logger;
  backend(): Promise<Backend>;
}

export function localRuntime<App extends RuntimeApp>(app: App): TaskRuntime<App> {
  const values = new MemoryKeyValue();
  const stores = (): boolean => app.config.taskStoreEagerResult;
  return {
    app,
    loggerWith: (fields) => app.logger.child(fields),
    values: () => (stores() ? app.backend().then((backend) => backend.values) : values),
    assertStorable: (request, value) => assertStorable(app, request, value),
    updateState: async (request, taskId, state, meta) => {
      if (!request.isEager || !stores()) return;
      const { group, parentId } = request;
      const record = { taskId, groupId: group, parentId, state, result: meta, traceback: null, children: [] };
      await (await app.backend()).store(record);
    },
    // There is no worker whose monitors would listen.
    sendEvent: () => Promise.resolve(),
  };
}

/** @throws EncodeError when a result that is to be stored is no data. */
export function assertStorable(
  { config, registry }: Pick<RuntimeApp, 'config' | 'registry'>,
  request: TaskRequest,
  value: unknown,
): void {
  const isIgnored =
    request.ignoreResult ?? registry.find(request.task)?.options.ignoreResult ?? config.taskIgnoreResult;
  if (!isIgnored) encodePayload(value, config.resultSerializer);
}
