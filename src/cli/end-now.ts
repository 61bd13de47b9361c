/**
 * Ends the process with an exit code, whatever still runs in it. `process.exit` waits for the threads of libuv, and one
 * inside a hanging name service does not return. It is used only if the addon cannot be loaded.
 */
export async function endNow(exitCode: number): Promise<void> {
  try {
    const { loadAddon } = await import('../hsm/native.js');
    loadAddon().exitNow(exitCode);
  } catch {
    process.exit(exitCode);
  }
}
