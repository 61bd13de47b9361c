#!/usr/bin/env node
import { runCli } from './program.js';
import { processTerminal } from './terminal.js';

// The exit code is set and not forced: what was written to a pipe still has to leave.
process.exitCode = await runCli(process.argv.slice(2), processTerminal());
