/** A Python that has Celery: CELERIAC_PYTHON, else the one scripts/bootstrap sets up. */
import { ensurePython } from '../bootstrap/python.mjs';
import { cleanPythonEnv } from '../bootstrap/python-interpreter.mjs';
import { run } from '../bootstrap/run.mjs';

// Byte code is written before the first start-up is timed: an installed Celery has it, a fresh environment may not.
const PREPARE = `
import compileall, importlib, os, platform
for name in ("celery", "kombu", "billiard", "amqp", "vine", "redis", "click", "prompt_toolkit"):
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    compileall.compile_dir(os.path.dirname(module.__file__), quiet=2)
import celery
print(f"Python {platform.python_version()}, Celery {celery.__version__}")
`;

/**
 * @param {import('../bootstrap/log.mjs').Log} log
 * @returns {Promise<{ python?: string, versions?: string, why?: string }>} without `python`, why there is none
 */
export async function findPython(log) {
  let python = process.env.CELERIAC_PYTHON;
  if (!python) {
    const found = await ensurePython({ log });
    if ('missing' in found) return { why: found.missing };
    ({ python } = found);
  }
  try {
    const { stdout } = await run(python, ['-c', PREPARE], { env: cleanPythonEnv(), limitMs: 120_000 });
    return { python, versions: stdout.trim() };
  } catch (error) {
    return { why: `${python} has no usable Celery: ${error.message}` };
  }
}
