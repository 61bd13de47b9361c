#!/usr/bin/env node
/**
 * Puts ghz, pinned, where the bench looks for it, unless it is there already, and prints its path.
 * Ends with 1 and a reason on stderr where that cannot be done: without Go, or without a way to its modules.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = 'v0.120.0';
const timeoutMs = 600_000;
const folder = fileURLToPath(new URL(`../node_modules/.cache/holdfast-tools/ghz-${version}`, import.meta.url));
const program = join(folder, 'ghz');

/** @returns why ghz cannot be had, or undefined when it is there. */
function install() {
  if (existsSync(program)) return undefined;
  const go = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (go.error !== undefined || go.status !== 0) return 'Go is not installed';
  mkdirSync(folder, { recursive: true });
  const arguments_ = ['install', `github.com/bojand/ghz/cmd/ghz@${version}`];
  const environment = { ...process.env, GOBIN: folder, GOFLAGS: '-trimpath', CGO_ENABLED: '0' };
  const installed = spawnSync('go', arguments_, { encoding: 'utf8', env: environment, timeout: timeoutMs });
  if (installed.status === 0 && existsSync(program)) return undefined;
  const lastLine = installed.stderr.trim().split('\n').at(-1);
  return `go ${arguments_.join(' ')} failed: ${installed.error?.message ?? lastLine}`;
}

const reason = install();
if (reason === undefined) {
  console.log(program);
} else {
  console.error(reason);
  process.exitCode = 1;
}
