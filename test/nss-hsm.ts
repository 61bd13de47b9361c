/** NSS softokn: a second, independent PKCS#11 implementation. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const libraryCandidates = [
  '/usr/lib/x86_64-linux-gnu/libsoftokn3.so',
  '/usr/lib/aarch64-linux-gnu/libsoftokn3.so',
  '/usr/lib/x86_64-linux-gnu/nss/libsoftokn3.so',
  '/usr/lib/aarch64-linux-gnu/nss/libsoftokn3.so',
  '/usr/lib64/libsoftokn3.so',
];

/** Built beside the addon, from `test/nss-token/`. */
const nssToken = fileURLToPath(new URL('../native/build/Release/nss-token', import.meta.url));

/** The installed `libsoftokn3.so` (package libnss3), or undefined. */
export function findNssLibrary(): string | undefined {
  return libraryCandidates.find((path) => existsSync(path));
}

/** One NSS database with a PIN. */
export interface NssHsm {
  libraryPath: string;
  environment: Record<string, never>;
  /** The string for `C_Initialize`. */
  initializationString: string;
  /** The label of the token in the database's slot; NSS chooses it. */
  tokenLabel: string;
  /** A copy of the library would not find the libraries beside it. */
  shared: true;
  directory: string;
  dispose(): void;
}

/** Makes a folder with an NSS database. A process can use one at a time: NSS is one instance. */
export function createNssHsm(libraryPath: string, userPin: string): NssHsm {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-nss-'));
  const database = join(directory, 'database');
  mkdirSync(database, { mode: 0o700 });
  const initializationString = `configdir='sql:${database}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=`;
  execFileSync(nssToken, [libraryPath, initializationString, userPin], { stdio: 'pipe' });
  return {
    libraryPath,
    environment: {},
    initializationString,
    tokenLabel: 'NSS Certificate DB',
    shared: true,
    directory,
    dispose: () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
