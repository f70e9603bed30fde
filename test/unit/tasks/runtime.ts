/** A runtime for contexts under test: it keeps what the task asked for. */
import { MemoryKeyValue } from '../../../src/backend/key-value.ts';
import { dumps } from '../../../src/protocol/json.ts';
import { TaskContext, type TaskRuntime } from '../../../src/tasks/context.ts';
import { createRequest, type TaskRequest } from '../../../src/tasks/request.ts';
import { defineTask, type TaskDefinition } from '../../../src/tasks/task.ts';

export interface Recorded {
  readonly states: unknown[];
  readonly events: unknown[];
  readonly lines: unknown[];
}

export function recordingRuntime(): TaskRuntime & Recorded {
  const states: unknown[] = [];
  const events: unknown[] = [];
  const lines: unknown[] = [];
  const values = new MemoryKeyValue();
  return {
    app: 'the app',
    states,
    events,
    lines,
    loggerWith: (fields) => {
      const line = (level: string) => (message: string, more?: object) =>
        void lines.push({ level, message, ...fields, ...more });
      return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
    },
    values: () => values,
    assertStorable: (_request, value) => void dumps(value),
    updateState: async (request, taskId, state, meta) => void states.push([request.id, taskId, state, meta]),
    sendEvent: async (type, fields) => void events.push([type, fields]),
  };
}

export interface Bench {
  readonly definition: TaskDefinition;
  readonly context: TaskContext;
  readonly controller: AbortController;
  readonly runtime: TaskRuntime & Recorded;
}

/** A task of the handler, with a context for one run of it. */
export function bench(
  handler: (...args: never[]) => unknown,
  options: object = {},
  request: Partial<TaskRequest> = {},
): Bench {
  const definition = defineTask('tasks.t', options, handler);
  const runtime = recordingRuntime();
  const controller = new AbortController();
  const context = new TaskContext(
    definition,
    createRequest({ id: 'id-1', task: 'tasks.t', ...request }),
    runtime,
    controller,
  );
  return { definition, context, controller, runtime };
}
