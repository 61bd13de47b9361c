/** The required system packages: found, installed with apt, or requested. */
import { existsSync } from 'node:fs';
import { execute, isInstalled, StepFailure } from './steps.mjs';

/** Where distributions put SoftHSM's library; `test/softhsm.ts` knows the same places. */
const softHsmLibraries = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

/** Where distributions put NSS's; `test/nss-hsm.ts` knows the same places. */
const nssLibraries = [
  '/usr/lib/x86_64-linux-gnu/libsoftokn3.so',
  '/usr/lib/aarch64-linux-gnu/libsoftokn3.so',
  '/usr/lib/x86_64-linux-gnu/nss/libsoftokn3.so',
  '/usr/lib/aarch64-linux-gnu/nss/libsoftokn3.so',
  '/usr/lib64/libsoftokn3.so',
];

/** The installed SoftHSM library, or undefined. */
export function findSoftHsmLibrary() {
  return softHsmLibraries.find((path) => existsSync(path));
}

/** Debian's name of each package, its purpose, and how to detect it. */
const packages = [
  { name: 'g++', purpose: 'C++20 compiler', present: () => isInstalled('c++') },
  { name: 'make', purpose: 'builds the addon', present: () => isInstalled('make') },
  { name: 'cmake', purpose: 'builds the addon', present: () => isInstalled('cmake') },
  {
    name: 'python3',
    purpose: 'builds better-sqlite3 where there is no prebuilt one',
    present: () => isInstalled('python3'),
  },
  {
    name: 'softhsm2',
    purpose: 'an HSM in software',
    present: () => isInstalled('softhsm2-util') && findSoftHsmLibrary() !== undefined,
  },
  {
    name: 'libnss3',
    purpose: 'a second HSM in software, for tests',
    present: () => nssLibraries.some((path) => existsSync(path)),
  },
  { name: 'openssl', purpose: 'certificates', present: () => isInstalled('openssl') },
  {
    name: 'libgtest-dev',
    purpose: 'tests of the C++ part',
    present: () => existsSync('/usr/include/gtest/gtest.h') || existsSync('/usr/local/include/gtest/gtest.h'),
  },
];

/** Required only by the checks of `.ci/run`. */
const lintPackages = [
  { name: 'clang-tidy', purpose: 'lint of the C++ part', present: () => isInstalled('clang-tidy') },
  { name: 'clang-format', purpose: 'format of the C++ part', present: () => isInstalled('clang-format') },
];

/** Required only by the bench. */
const benchPackages = [
  { name: 'nghttp2-client', purpose: 'h2load, which loads the servers', present: () => isInstalled('h2load') },
];

/**
 * Installs missing packages, as root or through sudo.
 * @throws StepFailure that names the packages, if that is impossible
 */
export async function installSystemPackages(steps, { withLint, withBench }) {
  const wanted = [...packages, ...(withLint ? lintPackages : []), ...(withBench ? benchPackages : [])];
  const missing = wanted.filter(({ present }) => !present());
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const listed = missing.map(({ name, purpose }) => `  ${name.padEnd(14)}${purpose}`).join('\n');
  if (!isInstalled('apt-get')) {
    throw new StepFailure(
      `These are missing, and this system has no apt to install them. The names are Debian's:\n${listed}\nInstall them with your package manager, then run this again.`,
    );
  }
  const sudo = await howToBecomeRoot();
  if (sudo === undefined) {
    throw new StepFailure(
      `These packages are missing, and only root may install them:\n${listed}\nRun this, then try again:\n  sudo apt-get update && sudo apt-get install -y ${names.join(' ')}`,
    );
  }
  await steps.run(`install packages: ${names.join(', ')}`, async () => {
    await apt(sudo, ['update', '-qq']);
    await apt(sudo, ['install', '-y', '-qq', '--no-install-recommends', ...names]);
  });
  const still = wanted.filter(({ present }) => !present()).map(({ name }) => name);
  if (still.length > 0)
    throw new StepFailure(`apt-get installed ${names.join(', ')}, and yet these are not found: ${still.join(', ')}`);
}

function apt(sudo, argumentList) {
  const [program, ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...argumentList];
  return execute(program, rest);
}

/**
 * `[]` for root, the sudo command if it works, undefined if there is no way. Asks for sudo's password only on a
 * terminal.
 */
async function howToBecomeRoot() {
  if (process.getuid() === 0) return [];
  if (!isInstalled('sudo')) return undefined;
  try {
    await execute('sudo', ['-n', 'true']);
    return ['sudo'];
  } catch {
    if (process.stdin.isTTY !== true) return undefined;
  }
  try {
    await execute('sudo', ['-v'], { interactive: true });
    return ['sudo'];
  } catch {
    return undefined;
  }
}
