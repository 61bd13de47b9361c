/**
 * Ends the process with an exit code, whatever still runs in it. `process.exit` waits for the threads of libuv, and one that is inside a
 * name service that hangs does not come back; where the addon cannot be loaded it has to do.
 */
export async function endNow(exitCode: number): Promise<void> {
  try {
    const { loadAddon } = await import('../hsm/native.js');
    loadAddon().exitNow(exitCode);
  } catch {
    process.exit(exitCode);
  }
}
