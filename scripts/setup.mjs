#!/usr/bin/env node
/**
 * Makes a fresh clone ready: system packages, npm packages, generated code, the addon, the build. Parts that exist and
 * are unchanged (by content) are skipped: a second run takes a second.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, runMain, StepFailure, Steps } from './steps.mjs';
import { installSystemPackages } from './system-packages.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
const minimumNode = [20, 19];

/** Inside node_modules: `npm ci` removes it, and then everything must be redone anyway. */
const stampFile = join(root, 'node_modules/.cache/holdfast/setup.json');

const help = `Usage: npm run setup [-- --quiet] [--with-lint] [--with-bench]

Makes a fresh clone ready: installs missing system packages (apt, as root or with sudo), runs npm ci, generates
the gRPC code, builds the addon and compiles TypeScript. Only what changed is done again.
--with-lint also installs what the checks of .ci/run want, --with-bench what npm run bench wants (it does so by itself).`;

/** Everything, in order. `output` is that of `Steps`. */
export async function setup({ quiet, withLint = false, withBench = false, output }) {
  checkNode();
  const steps = new Steps({ quiet, output });
  await installSystemPackages(steps, { withLint, withBench });
  await installNpmPackages(steps);
  await whenChanged(steps, {
    name: 'generated',
    label: 'generate code',
    inputs: [
      'proto',
      'buf.yaml',
      'buf.gen.yaml',
      'scripts/generate-code.mjs',
      'scripts/generate',
      'package.json',
      'package-lock.json',
    ],
    output: 'src/api/gen/request-shapes.ts',
    script: 'generate',
  });
  await whenChanged(steps, {
    name: 'addon',
    label: 'build the addon',
    inputs: ['native', 'package-lock.json'],
    output: 'native/build/Release/holdfast.node',
    script: 'build:native',
  });
  await whenChanged(steps, {
    name: 'typescript',
    label: 'compile TypeScript',
    inputs: ['src', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'],
    output: 'dist/cli/main.js',
    script: 'build:ts',
  });
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major === 24 && minor >= 19 && minor <= 21) {
    // nodejs/node#65446: their headers let compiled addons (ours, better-sqlite3) abort in the garbage collector.
    process.stderr.write(
      `Warning: addons compiled with the headers of Node ${process.versions.node} abort in the garbage collector (nodejs/node#65446). Use 24.18 or older, or another line.\n`,
    );
  }
  if (major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1])) return;
  throw new StepFailure(
    `Node ${minimumNode.join('.')} or newer is needed; this is ${process.versions.node}. See https://nodejs.org/en/download`,
  );
}

async function installNpmPackages(steps) {
  const hash = hashOf(['package-lock.json'], process.versions.modules);
  const stamps = readStamps();
  if (stamps.npm === hash) return;
  // Packages may have been installed by hand, or by an interrupted run: what counts is what exists.
  if (stamps.npm !== undefined || !installedIsLocked()) {
    await steps.run('npm ci (a minute where better-sqlite3 must be compiled)', () =>
      execute('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root }),
    );
  }
  writeStamps({ ...readStamps(), npm: hash });
}

/** Whether node_modules has the versions of the lock file. npm keeps its own record of its installation. */
function installedIsLocked() {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(locked).every(([path, { version, optional }]) => {
    if (path === '') return true;
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
}

async function whenChanged(steps, { name, label, inputs, output, script }) {
  const hash = hashOf(inputs, process.versions.modules);
  if (readStamps()[name] === hash && existsSync(join(root, output))) return;
  await steps.run(label, () => execute('npm', ['run', '--silent', script], { cwd: root }));
  writeStamps({ ...readStamps(), [name]: hash });
}

/** SHA-256 over names and contents of files and folders, without build output. */
function hashOf(paths, salt) {
  const hash = createHash('sha256').update(salt);
  for (const path of paths.flatMap(filesBelow)) {
    hash.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest('hex');
}

function filesBelow(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => !(path === 'native' && name.startsWith('build')))
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}

function readStamps() {
  if (!existsSync(stampFile)) return {};
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    // An interrupted run may leave half a file, which counts as none.
    return {};
  }
}

function writeStamps(stamps) {
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(`${stampFile}.new`, JSON.stringify(stamps));
  renameSync(`${stampFile}.new`, stampFile);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    if (process.argv.includes('--help')) return void process.stdout.write(`${help}\n`);
    const [quiet, withLint, withBench] = ['--quiet', '--with-lint', '--with-bench'].map((name) =>
      process.argv.includes(name),
    );
    await setup({ quiet, withLint, withBench });
  });
}
