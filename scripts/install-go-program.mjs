#!/usr/bin/env node
/**
 * `install-go-program.mjs <ghz|grpcurl>`: installs the program, pinned, in the folder where the bench and the tests
 * look for it, unless it is there already, and prints its path. Ends with 1 and a reason on stderr if that is
 * impossible: without Go, or without access to its modules.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const programs = {
  ghz: { source: 'github.com/bojand/ghz/cmd/ghz', version: 'v0.120.0' },
  grpcurl: { source: 'github.com/fullstorydev/grpcurl/cmd/grpcurl', version: 'v1.9.1' },
};
const timeoutMs = 600_000;

/** @returns the program's path, or why it is unavailable. */
function install(name) {
  const known = programs[name];
  if (known === undefined) return { reason: `Name one of ${Object.keys(programs).join(', ')}.` };
  const { source, version } = known;
  const folder = fileURLToPath(new URL(`../node_modules/.cache/holdfast-tools/${name}-${version}`, import.meta.url));
  const path = join(folder, name);
  if (existsSync(path)) return { path };
  const go = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (go.error !== undefined || go.status !== 0) return { reason: 'Go is not installed' };
  mkdirSync(folder, { recursive: true });
  const arguments_ = ['install', `${source}@${version}`];
  const environment = { ...process.env, GOBIN: folder, GOFLAGS: '-trimpath', CGO_ENABLED: '0' };
  const installed = spawnSync('go', arguments_, { encoding: 'utf8', env: environment, timeout: timeoutMs });
  if (installed.status === 0 && existsSync(path)) return { path };
  const lastLine = installed.stderr.trim().split('\n').at(-1);
  return { reason: `go ${arguments_.join(' ')} failed: ${installed.error?.message ?? lastLine}` };
}

const { path, reason } = install(process.argv[2]);
if (path === undefined) {
  console.error(reason);
  process.exitCode = 1;
} else {
  console.log(path);
}
