/** --uid, --gid and --umask. Counterpart: maybe_drop_privileges of celery/platforms.py, 5.6.3. */
import { execFileSync } from 'node:child_process';
import { CommandError, EX_FAILURE } from './exit-codes.ts';

type InitGroups = (user: number | string, group: number | string) => void;

export interface Identity {
  /** A user's name or number. */
  readonly uid?: string | undefined;
  /** A group's name or number. Left out: the user's own. */
  readonly gid?: string | undefined;
  readonly umask?: number | undefined;
}

/** @throws CommandError when there is no such user or group, or this process may not become it. */
export function becomeUser({ uid, gid, umask }: Identity): void {
  if (umask !== undefined) process.umask(umask);
  if (uid === undefined && gid === undefined) return;
  const { setuid, setgid } = process;
  // Not in the types of Node 20.
  const initgroups = Reflect.get(process, 'initgroups') as InitGroups | undefined;
  if (setuid === undefined || setgid === undefined || initgroups === undefined) {
    throw new CommandError(EX_FAILURE, 'Error: --uid and --gid are not possible on this system');
  }
  try {
    // The group first: a user who is not root may not change it any more.
    const group = gid ?? (uid === undefined ? undefined : primaryGroup(uid));
    if (group !== undefined) setgid(idOf(group));
    if (uid === undefined) return;
    if (group !== undefined) initgroups(idOf(uid), idOf(group));
    setuid(idOf(uid));
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw new CommandError(
      EX_FAILURE,
      `Error: cannot become user ${uid ?? '-'}, group ${gid ?? '-'}: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  if (Number(uid) !== 0 && uid !== 'root' && canBeRoot(setuid)) {
    throw new CommandError(EX_FAILURE, 'Error: could become root again after dropping privileges');
  }
}

function idOf(given: string): number | string {
  return /^\d+$/u.test(given) ? Number(given) : given;
}

/** Node has no getpwnam; `id` is everywhere where users are. */
function primaryGroup(uid: string): string {
  try {
    return execFileSync('id', ['-g', '--', uid], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (cause) {
    throw new CommandError(EX_FAILURE, `Error: User does not exist: ${uid}`, { cause });
  }
}

function canBeRoot(setuid: (id: number) => void): boolean {
  try {
    setuid(0);
    return true;
  } catch {
    return false;
  }
}
