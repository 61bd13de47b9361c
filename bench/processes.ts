import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';

/** The running processes of the bench. */
const running = new Map<ChildProcess, { group: boolean }>();

process.on('exit', () => {
  for (const [child, { group }] of running) kill(child, group);
});

function kill(child: ChildProcess, group: boolean): void {
  if (!group || child.pid === undefined) {
    child.kill('SIGKILL');
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The whole group has ended.
  }
}

/** Makes a signal end this process as `process.exit` does: exit handlers run. */
export function exitOnSignals(): void {
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    // Shells report an end by signal n as 128 + n.
    process.once(signal, () => process.exit(128 + number));
  }
}

/**
 * Starts a process that does not outlive this one, however this one ends (except by SIGKILL, which cannot be handled).
 * A detached one leads a process group (spawn's `detached`), all of which ends.
 */
export function startProcess(program: string, parameters: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(program, parameters, options);
  running.set(child, { group: options.detached === true });
  child.once('close', () => running.delete(child));
  return child;
}

/** How long a process may take until it serves: many times what a busy machine needs. */
const startBoundMs = 60_000;

/**
 * Resolves with the result of `ready`. Rejects, with the output of the process, if it ends before, fails, or takes a
 * minute.
 * @param output its output, and why it is worth reading
 */
export async function whenReady<T>(
  name: string,
  ready: Promise<T>,
  output: () => string,
  child?: ChildProcess,
  boundMs = startBoundMs,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stopWatching = (): void => undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`was not ready within ${boundMs / 1000} s`)), boundMs);
    const onEnd = (code: number | null) => reject(new Error(`ended with ${code} before it was ready`));
    child?.once('close', onEnd);
    child?.once('error', reject);
    stopWatching = () => child?.off('close', onEnd).off('error', reject);
  });
  try {
    return await Promise.race([ready, failed]);
  } catch (error) {
    throw new Error(`${name} ${(error as Error).message}: ${output().trim().slice(-2_000)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    stopWatching();
  }
}
