#!/usr/bin/env node
import { ignoreInspectorSignal, serverSignals } from '../server-signals.js';

// Before the rest is loaded, which takes half a second.
if (process.argv[2] === 'serve') serverSignals();
else ignoreInspectorSignal();

const { runCli } = await import('./program.js');
const { processTerminal } = await import('./terminal.js');

const exitCode = await runCli(process.argv.slice(2), processTerminal());
process.exitCode = exitCode;
// All output has been written by now. A peer that keeps a handshake or a look-up open must not hold the command. A
// process with nothing left to do ends by itself before this.
setTimeout(() => void endNow(exitCode), 100).unref();

/**
 * Ends the process with an exit code, whatever still runs in it. `process.exit` waits for the threads of libuv, and one
 * inside a hanging name service does not return. It is used only if the addon cannot be loaded.
 */
async function endNow(exitCode: number): Promise<void> {
  try {
    const { loadAddon } = await import('../hsm/native.js');
    loadAddon().exitNow(exitCode);
  } catch {
    process.exit(exitCode);
  }
}
