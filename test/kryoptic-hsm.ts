/** kryoptic, a third PKCS#11 implementation: `npm run test:kryoptic` builds it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kryopticLibrary } from '../scripts/kryoptic-library.mjs';

/** The built library, or undefined. */
export function findKryopticLibrary(): string | undefined {
  const path = kryopticLibrary();
  return existsSync(path) ? path : undefined;
}

/** One kryoptic token with a PIN. */
export interface KryopticHsm {
  libraryPath: string;
  /** The environment to set during `C_Initialize`. */
  environment: { KRYOPTIC_CONF: string };
  tokenLabel: string;
  directory: string;
  dispose(): void;
}

/** Makes a folder with one token. SoftHSM's tool initialises it, because it accepts any module. */
export function createKryopticHsm(libraryPath: string, tokenLabel: string, userPin: string): KryopticHsm {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-kryoptic-'));
  const environment = { KRYOPTIC_CONF: join(directory, 'kryoptic.conf') };
  const database = JSON.stringify(join(directory, 'token.sql'));
  writeFileSync(environment.KRYOPTIC_CONF, `[[slots]]\nslot = 0\ndbtype = "sqlite"\ndbargs = ${database}\n`);
  const token = ['--init-token', '--slot', '0', '--label', tokenLabel, '--pin', userPin, '--so-pin', `so-${userPin}`];
  const options = { env: { ...process.env, ...environment }, stdio: 'pipe' } as const;
  execFileSync('softhsm2-util', ['--module', libraryPath, ...token], options);
  const dispose = (): void => {
    rmSync(directory, { recursive: true, force: true });
  };
  return { libraryPath, environment, tokenLabel, directory, dispose };
}
