/**
 * A contender's worker: started in a process group of its own, measured and killed with everything below it.
 *
 * CPU is utime + stime + cutime + cstime of every living process of the tree, from /proc/<pid>/stat: a child that ended
 * and was waited for moves its time into its parent's cutime, so nothing is lost between two samples. Memory is PSS
 * (smaps_rollup), which counts a page shared by n forked children as 1/n each, as is fair to prefork.
 * Linux only, and the bench says so when it starts elsewhere.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram } from '../bootstrap/processes.mjs';
import { cleanPythonEnv } from '../bootstrap/python-interpreter.mjs';

let ticksPerSecond;
function microsecondsPerTick() {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100;
  return 1e6 / ticksPerSecond;
}

/** @returns {{ parent: number, group: number, ticks: number } | undefined} undefined when the process is gone */
function readStat(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command name may hold blanks and brackets: the fields start behind the last bracket, with field 3 (state).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = [14, 15, 16, 17].reduce((sum, field) => sum + Number(fields[field - 3]), 0);
  return { parent: Number(fields[1]), group: Number(fields[2]), ticks };
}

/** The environment without the caller's own Celery and Redis, which would redirect a contender. */
function cleanEnv() {
  return Object.fromEntries(Object.entries(cleanPythonEnv()).filter(([name]) => !/^(CELERY|REDIS)_/.test(name)));
}

export class ProcessTree {
  #child;
  #exited;
  #output = '';

  /**
   * @param {{ file: string, args: string[], env?: Record<string, string>, cwd?: string }} command
   */
  constructor({ file, args, env, cwd }) {
    // startProgram puts it into a process group of its own and ends it when the bench ends, however that comes about.
    this.#child = startProgram(file, args, {
      cwd,
      env: { ...cleanEnv(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Output is drained always (a full pipe would stop the worker) and its end kept for the error message.
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output = (this.#output + text).slice(-4000);
      });
    }
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(String(error)));
      this.#child.once('exit', (code, signal) => resolve(`exit code ${code ?? signal}`));
    });
    this.#exited.then((how) => {
      this.endedBy = how;
    });
  }

  /** How the process ended, undefined while it lives. */
  endedBy;

  /** The last output, for people. */
  get output() {
    return this.#output.trim();
  }

  /** Throws when the worker died under the measurement. */
  assertAlive() {
    if (this.endedBy !== undefined) throw new Error(`the worker ended (${this.endedBy}): ${this.output.slice(-600)}`);
  }

  /** Rejects when the worker ends; never resolves. */
  async untilDeath() {
    await this.#exited;
    this.assertAlive();
  }

  /** Every living process below the root, the root, and whoever shares its process group. */
  #stats() {
    const root = this.#child.pid;
    if (root === undefined) return new Map();
    const all = new Map();
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      const stat = readStat(pid);
      if (stat !== undefined) all.set(pid, stat);
    }
    const isOurs = (pid) => {
      for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === root) return true;
      return all.get(pid)?.group === root;
    };
    return new Map([...all].filter(([pid]) => isOurs(pid)));
  }

  /** CPU microseconds used by the whole tree since it started, in steps of a clock tick (10 ms). */
  cpuMicroseconds() {
    let ticks = 0;
    for (const stat of this.#stats().values()) ticks += stat.ticks;
    return ticks * microsecondsPerTick();
  }

  /** Proportional set size of the whole tree in MiB; NaN where the kernel does not tell. */
  pssMebibytes() {
    let kilobytes = 0;
    for (const pid of this.#stats().keys()) {
      try {
        kilobytes += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]);
      } catch {
        if (pid === this.#child.pid) return Number.NaN;
      }
    }
    return kilobytes / 1024;
  }

  /** How many processes the tree has. */
  size() {
    return this.#stats().size;
  }

  /** Kills the tree and waits until its root is gone: the next contender must not share the machine with it. */
  async stop() {
    for (const pid of this.#stats().keys()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself meanwhile.
      }
    }
    await Promise.race([this.#exited, sleep(5000)]);
  }
}
