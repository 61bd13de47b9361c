/** SoftHSM tokens in a temporary folder, for every test that needs a real PKCS#11 module. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One token to initialise. */
export interface SoftHsmToken {
  /** At most 32 bytes of UTF-8 (`CK_TOKEN_INFO.label`). */
  label: string;
  userPin: string;
  /** Security officer's PIN; default `so-` and the user PIN. */
  soPin?: string;
}

/** A separate SoftHSM configuration, with the module options to reach it. */
export interface SoftHsm {
  /** The `softhsm2.conf` file. */
  configPath: string;
  /** The installed `libsofthsm2.so`. */
  libraryPath: string;
  /** The environment to set during `C_Initialize`. */
  environment: { SOFTHSM2_CONF: string };
  /** The folder with everything in it; the tokens are in `tokens/` below it (move that away and the HSM is "lost"). */
  directory: string;
  /** Initialises one more token. A running module sees it after being finalised and initialised again. */
  addToken(token: SoftHsmToken): void;
  /** Removes the folder. */
  dispose(): void;
}

const libraryCandidates = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

/** The path of the installed SoftHSM; if it is missing, an error that says how to install it. */
function findSoftHsmLibrary(): string {
  const found = libraryCandidates.find((path) => existsSync(path));
  if (found === undefined) throw new Error('libsofthsm2.so was not found: install the package softhsm2');
  return found;
}

/** The same "HSM" once more, with the same serial numbers: one that is prepared once. Close every session on it first. */
export function copySoftHsm(original: SoftHsm): SoftHsm {
  const copy = createSoftHsm({ tokens: [] });
  cpSync(join(original.directory, 'tokens'), join(copy.directory, 'tokens'), { recursive: true });
  return copy;
}

/** Makes a folder with a SoftHSM configuration and the requested tokens. Each call is one "HSM". */
export function createSoftHsm(options: { tokens: SoftHsmToken[] }): SoftHsm {
  const libraryPath = findSoftHsmLibrary();
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-softhsm-'));
  const configPath = join(directory, 'softhsm2.conf');
  const tokens = join(directory, 'tokens');
  mkdirSync(tokens, { mode: 0o700 });
  writeFileSync(configPath, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const environment = { SOFTHSM2_CONF: configPath };
  const addToken = (token: SoftHsmToken): void => {
    const pins = ['--pin', token.userPin, '--so-pin', token.soPin ?? `so-${token.userPin}`];
    const options = { env: { ...process.env, ...environment }, stdio: 'pipe' } as const;
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', token.label, ...pins], options);
  };
  for (const token of options.tokens) addToken(token);
  const dispose = (): void => {
    // A module that is being finalised may still write: try again.
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  };
  return { configPath, libraryPath, environment, directory, addToken, dispose };
}
