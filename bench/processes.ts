import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';

/** What runs for the bench. */
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A signal ends this process as `process.exit` does, so that what runs at an exit runs. */
export function exitOnSignals(): void {
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    // Shells tell an end by signal n as 128 + n.
    process.once(signal, () => process.exit(128 + number));
  }
}

/** Starts a process that does not outlive this one, however this one ends (but for SIGKILL, which it cannot answer). */
export function startProcess(program: string, parameters: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(program, parameters, options);
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** How long anything may take until it serves: many times what it takes on a busy machine. */
const startBoundMs = 60_000;

/**
 * Resolves with what `ready` does. Rejects, with what the process wrote, where it ends before, fails, or takes a minute.
 * @param output what it wrote, and why it is worth reading
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
