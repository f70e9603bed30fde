/** Loads the app that `-A` names and lays the command line's options over its settings. */
import type { Command } from 'commander';
import { Celeriac } from '../client/app.ts';
import type { Settings } from '../config/config.ts';
import { loadApp, loadModule } from '../tasks/loader.ts';
import { CommandError, EX_USAGE } from './exit-codes.ts';

export interface GlobalOptions {
  readonly app?: string;
  readonly broker?: string;
  readonly resultBackend?: string;
  readonly config?: string;
  readonly workdir?: string;
  readonly quiet?: boolean;
  readonly color: boolean;
}

export interface AppNeeds {
  /** False: a command that needs only Redis makes do with an app of no tasks. @defaultValue true */
  readonly isRequired?: boolean;
}

export interface CommandApp {
  readonly app: Celeriac;
  /** The module it came from; null where there was no -A. */
  readonly file: string | null;
}

/** @throws CommandError, with Celery's exit code of a wrong -A, when it can't be loaded; ConfigError for its settings. */
export async function appOf(command: Command, cli: Settings = {}, needs: AppNeeds = {}): Promise<CommandApp> {
  const options = command.optsWithGlobals<GlobalOptions>();
  if (options.workdir !== undefined) changeTo(options.workdir);
  const found = await find(options.app, needs.isRequired ?? true);
  if (options.config !== undefined) found.app.configFromObject(options.config);
  found.app.configure({
    cli: {
      ...cli,
      ...(options.broker === undefined ? {} : { broker_url: options.broker }),
      ...(options.resultBackend === undefined ? {} : { result_backend: options.resultBackend }),
    },
  });
  return found;
}

/** What the settings `imports` and `include`, autodiscovery, and -I name: modules that register tasks. */
export async function loadIncludes(app: Celeriac, more: readonly string[] = []): Promise<void> {
  await app.loadTasks();
  for (const module of more) await loadModule(module, process.cwd());
}

async function find(spec: string | undefined, isRequired: boolean): Promise<CommandApp> {
  if (spec === undefined) {
    if (!isRequired) return { app: new Celeriac('default'), file: null };
    throw new CommandError(
      EX_USAGE,
      'Error: no app given: name the module of your tasks, as in celeriac -A ./tasks.mjs worker',
    );
  }
  try {
    const { app, file } = await loadApp(spec, process.cwd());
    // Marked by the symbol, so it is a Celeriac, though perhaps of another copy of this package.
    return { app: app as unknown as Celeriac, file };
  } catch (cause) {
    throw new CommandError(EX_USAGE, `Error: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function changeTo(directory: string): void {
  try {
    process.chdir(directory);
  } catch (cause) {
    throw new CommandError(EX_USAGE, `Error: --workdir: cannot change to ${directory}`, { cause });
  }
}
