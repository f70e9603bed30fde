/**
 * The bootstrap is plain JavaScript, outside the compiled project; this is the one place that says to the type checker
 * what the tests use of it.
 */

interface Located {
  host: string;
  port: number;
  path?: string;
  tls: boolean;
  rejectUnauthorized: boolean;
  username?: string;
  password?: string;
  database: number;
  hasDatabase: boolean;
}

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

interface Log {
  step: (topic: string, text: string) => void;
  plain: (text: string) => void;
}

interface Server {
  url: string;
  port: number;
  kind: string;
  databases: number[];
  binary?: string;
  urlOf: (database: number) => string;
  stop: () => Promise<void>;
}

interface Modules {
  'bootstrap/redis-address': {
    readRedisUrl: (url: string) => Located;
    withDatabase: (url: string, database: number) => string;
    hidePassword: (url: string) => string;
  };
  'bootstrap/resp': {
    readReply: (bytes: Buffer, at?: number) => { reply: unknown; next: number } | undefined;
    askRedis: (url: string, commands: readonly (readonly string[])[]) => Promise<unknown[]>;
  };
  'bootstrap/redis-facts': {
    readServerInfo: (info: string) => { name: string; version: string; isNewEnough: boolean };
    checkServer: (url: string) => Promise<string>;
    lookIntoDatabases: (url: string) => Promise<{ empty: number[]; taken: number[] }>;
  };
  'bootstrap/redis': {
    startRedis: (options: { log: Log; urlFrom?: string; wholeServer?: boolean }) => Promise<Server>;
  };
  'bootstrap/redis-path': { putOnPath: (binary: string, libraryPath: string | undefined) => string };
  'bootstrap/node-modules': {
    isInstalled: (wanted: unknown, installed: unknown) => boolean;
    npmProblem: (stderr: string) => string;
  };
  'bootstrap/apt': { packagesToInstall: (simulation: string) => string[] };
  'bootstrap/pip': { pipWheelIn: (folder: string) => string | undefined };
  'bootstrap/pip-index': {
    indexUrlIn: (text: string) => string | undefined;
    wheelLinks: (html: string, version: string) => { href: string; sha256: string | undefined; name: string }[];
  };
  'bootstrap/lock': { withLock: <T>(path: string, work: () => Promise<T>) => Promise<T> };
  'bootstrap/run': {
    run: (command: string, args: readonly string[], options?: { limitMs?: number }) => Promise<{ stdout: string }>;
    which: (...names: string[]) => string | undefined;
  };
  'test/arguments': {
    readArguments: (words: readonly string[]) => {
      suites: string[];
      paths: string[];
      flags: string[];
      install: boolean;
    };
  };
  'test/tally': {
    sum: (tallies: readonly Tally[]) => Tally;
    closingLine: (tally: Tally) => string;
    isGood: (tally: Tally) => boolean;
    tallyOfJest: (report: object) => Tally;
  };
  'quickstart/worker-process': { readNodeName: (line: string) => string | undefined };
}

export async function script<Name extends keyof Modules>(name: Name): Promise<Modules[Name]> {
  return (await import(`../../scripts/${name}.mjs`)) as Modules[Name];
}

/** The bootstrap's words, kept instead of printed. */
export function keptLog(): Log & { lines: string[] } {
  const lines: string[] = [];
  return { lines, step: (topic, text) => void lines.push(`${topic}: ${text}`), plain: (text) => void lines.push(text) };
}
