/** Loads the app that `-A` names and lays the command line's options over its settings. */
import type { Command } from 'commander';
import type { Celeriac } from '../client/app.ts';
import type { Settings } from '../config/config.ts';
import { ConfigError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { loadApp } from '../tasks/loader.ts';

interface GlobalOptions {
  readonly app?: string;
  readonly broker?: string;
  readonly resultBackend?: string;
  readonly workdir?: string;
  readonly color: boolean;
}

export async function appOf(command: Command, cli: Settings = {}, logger?: Logger): Promise<Celeriac> {
  const options = command.optsWithGlobals<GlobalOptions>();
  if (options.workdir !== undefined) process.chdir(options.workdir);
  if (options.app === undefined) {
    throw new ConfigError('no app given: name the module of your tasks, as in celeriac -A ./tasks.mjs worker');
  }
  const { app } = await loadApp(options.app, process.cwd());
  // Marked by the symbol, so it is a Celeriac, though perhaps of another copy of this package.
  const celeriac = app as unknown as Celeriac;
  celeriac.configure({
    cli: {
      ...cli,
      ...(options.broker === undefined ? {} : { broker_url: options.broker }),
      ...(options.resultBackend === undefined ? {} : { result_backend: options.resultBackend }),
    },
    ...(logger === undefined ? {} : { logger }),
  });
  return celeriac;
}
