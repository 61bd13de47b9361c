#!/usr/bin/env node
/** Builds kryoptic, the PKCS#11 module that tests run on besides SoftHSM and NSS: `npm run test:kryoptic`. */
import { copyFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { crate, kryopticCache, kryopticLibrary } from './kryoptic-library.mjs';
import { execute, isInstalled, runMain, StepFailure, Steps } from './steps.mjs';

const help = `Usage: node scripts/build-kryoptic.mjs [--skip-ok] [--jobs <count>]

Builds test/kryoptic-module with cargo, against the system's OpenSSL and SQLite, into
$XDG_CACHE_HOME/holdfast (~/.cache/holdfast), unless it is there already. About two minutes of one core.

Options:
  --skip-ok       exit code 0 where it cannot be built: a tool is missing, crates cannot be fetched, no time
  --jobs <count>  of cargo (default: one a core)
  --help          show this`;

/** The time for one build. Crates that are finished by then are kept: the next run continues from there. */
const buildLimitMs = 10 * 60_000;
const fetchLimitMs = 2 * 60_000;

/** The failure of a machine that cannot build kryoptic, which is no defect of the crate. */
class Unavailable extends StepFailure {}

/** `timeout` ends cargo and the compilers that it started; its exit code is 124 then. */
const within = (limitMs) => ['timeout', '--kill-after=10', String(limitMs / 1_000)];

async function requireCargo() {
  const [, minimum] = /^rust-version = "(.+)"/m.exec(await readFile(join(crate, 'Cargo.toml'), 'utf8'));
  const [, version] = /^cargo (\S+)/.exec(spawnSync('cargo', ['--version'], { encoding: 'utf8' }).stdout ?? '') ?? [];
  const isNewEnough = version !== undefined && version.localeCompare(minimum, 'en', { numeric: true }) >= 0;
  if (!isNewEnough) throw new Unavailable(`kryoptic needs Rust ${minimum} or newer (cargo): https://rustup.rs`);
}

const hasLibrary = (constraint) => spawnSync('pkg-config', ['--exists', constraint]).status === 0;

/** bindgen loads libclang at run time, and looks in these places too. */
async function hasLibclang() {
  if (process.env.LIBCLANG_PATH !== undefined || isInstalled('llvm-config')) return true;
  const llvm = existsSync('/usr/lib') ? (await readdir('/usr/lib')).filter((name) => /^llvm/.test(name)) : [];
  const folders = [
    '/usr/lib',
    '/usr/lib64',
    '/usr/local/lib',
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
  ];
  for (const folder of [...folders, ...llvm.map((name) => join('/usr/lib', name, 'lib'))]) {
    if (existsSync(folder) && (await readdir(folder)).some((name) => /^libclang(-\d+)?\.so/.test(name))) return true;
  }
  return false;
}

/** @throws Unavailable that names what to install */
async function requireTools() {
  await requireCargo();
  if (!isInstalled('pkg-config')) throw new Unavailable('kryoptic needs the package pkg-config');
  const packages = [
    { name: 'libssl-dev', present: hasLibrary('libcrypto >= 3.0.7') },
    { name: 'libsqlite3-dev', present: hasLibrary('sqlite3') },
    { name: 'libclang-dev', present: await hasLibclang() },
  ];
  const missing = packages.filter(({ present }) => !present).map(({ name }) => name);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  throw new Unavailable(`kryoptic needs ${names} (Debian's names). Run: sudo apt-get install -y ${names}`);
}

async function fetchCrates() {
  try {
    const [program, ...rest] = [...within(fetchLimitMs), 'cargo', 'fetch', '--locked'];
    await execute(program, rest, { cwd: crate });
  } catch (error) {
    throw new Unavailable(`The crates of kryoptic cannot be fetched. ${error.message}`);
  }
}

async function compile(jobs) {
  const target = join(kryopticCache(), 'target');
  const cargo = ['cargo', 'build', '--release', '--locked', '--offline', '--target-dir', target, ...jobs];
  try {
    await execute('nice', ['-n', '10', ...within(buildLimitMs), ...cargo], { cwd: crate });
  } catch (error) {
    // Another run was faster, and has removed the files that both runs use.
    if (existsSync(kryopticLibrary())) return;
    if (!error.message.includes('(exit code 124)')) throw error;
    throw new Unavailable(
      `kryoptic was not built within ${buildLimitMs / 60_000} minutes; the next run goes on from there`,
    );
  }
  await publish(join(target, 'release', basename(kryopticLibrary())));
}

/** Puts the library in place in one step: a test never loads half a file. */
async function publish(built) {
  const partial = `${kryopticLibrary()}.${process.pid}`;
  await copyFile(built, partial);
  await rename(partial, kryopticLibrary());
}

async function build(steps, jobs) {
  if (existsSync(kryopticLibrary())) return steps.say(`✓ kryoptic is built: ${kryopticLibrary()}`);
  await requireTools();
  await mkdir(kryopticCache(), { recursive: true });
  await steps.run('fetch the crates of kryoptic', fetchCrates);
  await steps.run('build kryoptic', () => compile(jobs));
  await rm(join(kryopticCache(), 'target'), { recursive: true, force: true });
}

async function main() {
  const { values } = parseArgs({
    options: {
      'skip-ok': { type: 'boolean', default: false },
      jobs: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const steps = new Steps({ quiet: false });
  try {
    await build(steps, values.jobs === undefined ? [] : ['--jobs', values.jobs]);
  } catch (error) {
    if (!values['skip-ok'] || !(error instanceof Unavailable)) throw error;
    steps.say(`${error.message}\nThe contract suite is skipped on kryoptic.`);
  }
}

await runMain(main);
