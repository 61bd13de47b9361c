/** The server process of the quickstart: found from an earlier run, started, stopped. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { root } from '../setup.mjs';
import { StepFailure } from '../steps.mjs';

const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

export const cliPath = join(root, 'dist/cli/main.js');

/** The command that people type for the same. */
export const launcherPath = join(root, 'holdfast');

/** The process of an earlier run that still serves this folder's configuration, or undefined. */
export function runningServer(at) {
  if (!existsSync(at('server.pid'))) return undefined;
  const pid = Number(readFileSync(at('server.pid'), 'utf8'));
  const commandLine = `/proc/${pid}/cmdline`;
  // Process ids are reused: what counts is the program that runs under it.
  const isOurs = existsSync(commandLine) && readFileSync(commandLine, 'utf8').split('\0').includes(at('holdfast.yaml'));
  if (isOurs) return pid;
  rmSync(at('server.pid'), { force: true });
  return undefined;
}

/** True if the process was started before its code was built. */
export function isOlderThanBuild(at) {
  return statSync(at('server.pid')).mtimeMs < statSync(cliPath).mtimeMs;
}

/** `wanted` if nothing listens there, otherwise any free port. */
export async function freePort(wanted) {
  return (await tryPort(wanted)) ?? (await tryPort(0));
}

function tryPort(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(undefined));
    probe.listen(port, '127.0.0.1', () => {
      const { port: found } = probe.address();
      probe.close(() => resolve(found));
    });
  });
}

/**
 * Starts the server in the background, its log in server.log, and waits until `isReady` says so.
 * @throws StepFailure with the end of the log
 */
export async function startServer(at, isReady) {
  rmSync(at('holdfast.sock'), { force: true });
  const log = openSync(at('server.log'), 'a', 0o600);
  const child = spawn(process.execPath, [cliPath, 'serve', '--config', at('holdfast.yaml')], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  let exitCode;
  child.once('exit', (code) => (exitCode = code ?? -1));
  writeFileSync(at('server.pid'), String(child.pid), { mode: 0o600 });
  const deadlineMs = performance.now() + startTimeoutMs;
  while (exitCode === undefined && performance.now() < deadlineMs) {
    if (await isReady()) return child.pid;
    await pause(100);
  }
  const what =
    exitCode === undefined
      ? `does not answer after ${startTimeoutMs / 1_000} seconds`
      : `ended (exit code ${exitCode})`;
  if (exitCode === undefined) await stopServer(at, child.pid);
  rmSync(at('server.pid'), { force: true });
  const end = readFileSync(at('server.log'), 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  throw new StepFailure(`The server ${what}. The end of ${at('server.log')}:\n${end}`);
}

/** SIGTERM, which drains; SIGKILL if that takes too long. */
export async function stopServer(at, pid) {
  signal(pid, 'SIGTERM');
  const deadlineMs = performance.now() + stopTimeoutMs;
  while (signal(pid, 0) && performance.now() < deadlineMs) await pause(50);
  if (signal(pid, 0)) signal(pid, 'SIGKILL');
  rmSync(at('server.pid'), { force: true });
}

/** Sends a signal. @returns whether there was such a process */
function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}
