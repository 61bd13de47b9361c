/** A vendor's own replication, on SoftHSM: tokens that share a token key, whose object files this copies. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultHsm } from './native/fault-hsm.js';
import { createSoftHsm, type SoftHsm } from './softhsm.js';

const intervalMs = 10;

/** The folder of an HSM's only token. */
function tokenFolder({ directory }: Pick<SoftHsm, 'directory'>): string {
  const [token] = readdirSync(join(directory, 'tokens'));
  if (token === undefined) throw new Error('This HSM has no token.');
  return join(directory, 'tokens', token);
}

/** The object files of a token, without the one that describes the token itself. */
function objectsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.object') && name !== 'token.object');
}

/** A running SoftHSM reads its folder again when this number has changed (OSToken::index, SoftHSM 2.6.1). */
function announceChange(folder: string): void {
  const path = join(folder, 'generation');
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(readFileSync(path).readBigUInt64BE() + 1n);
  writeFileSync(path, number);
}

/**
 * A separate "HSM" whose tokens hold the same objects as another's, with the same attributes, under other serial numbers,
 * like a vendor's replication. Close every session on the original first.
 */
export function cloneSoftHsm(original: SoftHsm): SoftHsm {
  const clone = createSoftHsm({ tokens: [] });
  const tokens = join(clone.directory, 'tokens');
  cpSync(join(original.directory, 'tokens'), tokens, { recursive: true });
  for (const token of readdirSync(tokens)) changeSerialNumber(join(tokens, token, 'token.object'));
  return clone;
}

/** The only run of sixteen hexadecimal digits in a token's file is its serial number (SoftHSM 2.6.1, Token.cpp). */
function changeSerialNumber(path: string): void {
  const content = readFileSync(path, 'latin1');
  if (content.match(/[0-9a-f]{16}/g)?.length !== 1) throw new Error(`The serial number was not found in ${path}.`);
  writeFileSync(path, content.replace(/[0-9a-f]{16}/, randomBytes(8).toString('hex')), 'latin1');
}

/** One of the tokens, and the counts of its calls. */
interface TokenOfVendor {
  hsm: Pick<SoftHsm, 'directory'>;
  fault: Pick<FaultHsm, 'counts'>;
}

/** Keeps tokens alike: what is made, or destroyed, on one of them is on all others soon afterwards. */
export class VendorCopies {
  readonly #tokens: readonly TokenOfVendor[];
  readonly #folders: string[];
  readonly #timer: NodeJS.Timeout;
  /** The objects that all tokens have, or had. */
  readonly #copied = new Set<string>();
  /** Nothing is copied while it is set. */
  isHeld = false;

  /** @param tokens clones of one another (`cloneSoftHsm`), each the only one of its HSM */
  constructor(tokens: readonly TokenOfVendor[]) {
    this.#tokens = tokens;
    this.#folders = tokens.map(({ hsm }) => tokenFolder(hsm));
    for (const name of this.#folders.flatMap(objectsIn)) this.#copied.add(name);
    this.#timer = setInterval(() => {
      if (!this.isHeld) this.#round();
    }, intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** How many objects each token has. */
  counts(): number[] {
    return this.#folders.map((folder) => objectsIn(folder).length);
  }

  #round(): void {
    const made = this.#keysMade();
    const names = this.#folders.map((folder) => new Set(objectsIn(folder)));
    const fresh = this.#folders.flatMap((folder, index) =>
      [...(names[index] ?? [])]
        .filter((name) => !this.#copied.has(name))
        .map((name) => ({ folder, name, content: readFileSync(join(folder, name)) })),
    );
    for (const name of this.#copied) if (names.some((each) => !each.has(name))) this.#remove(name);
    // SoftHSM writes a key in several steps: what was read while a call was inside may be half of one.
    if (made === undefined || made !== this.#keysMade()) return;
    for (const { folder, name, content } of fresh) this.#copy(folder, name, content);
  }

  /** Undefined while one is being made. */
  #keysMade(): number | undefined {
    const counts = this.#tokens.map(({ fault }) => fault.counts('C_GenerateKey'));
    if (counts.some(({ entered, returned }) => entered !== returned)) return undefined;
    return counts.reduce((sum, { entered }) => sum + entered, 0);
  }

  #copy(folder: string, name: string, content: Buffer): void {
    this.#copied.add(name);
    for (const other of this.#folders.filter((each) => each !== folder)) {
      writeFileSync(join(other, name.replace(/object$/, 'lock')), '', { mode: 0o600 });
      writeFileSync(join(other, `${name}.new`), content, { mode: 0o600 });
      renameSync(join(other, `${name}.new`), join(other, name));
      announceChange(other);
    }
  }

  #remove(name: string): void {
    this.#copied.delete(name);
    for (const folder of this.#folders.filter((each) => existsSync(join(each, name)))) {
      rmSync(join(folder, name));
      announceChange(folder);
    }
  }
}
