#!/usr/bin/env node
import { runCli } from './program.js';
import { processTerminal } from './terminal.js';
import { endNow } from './end-now.js';

const exitCode = await runCli(process.argv.slice(2), processTerminal());
process.exitCode = exitCode;
// All that was written has left by now. A peer that holds a handshake or a look-up open must not hold the command: a process that is done
// ends by itself before this.
setTimeout(() => void endNow(exitCode), 100).unref();
