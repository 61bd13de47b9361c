/** The tokens and the catalog of a deployment, as they were once, to be brought back before each act. */
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SoftHsmMember } from '../wrapped-cluster.js';

export class KeptFiles {
  readonly #folder: string;
  readonly #kept: string;
  readonly #members: readonly SoftHsmMember[];

  /** Keeps them as they are now. No process may use them. */
  constructor(folder: string, members: readonly SoftHsmMember[]) {
    this.#folder = folder;
    this.#kept = join(folder, 'kept');
    this.#members = members;
    mkdirSync(this.#kept);
    for (const { name, hsm } of members)
      cpSync(join(hsm.directory, 'tokens'), join(this.#kept, name), { recursive: true });
    for (const file of catalogFiles(folder)) cpSync(join(folder, file), join(this.#kept, file));
  }

  restore(): void {
    for (const { name, hsm } of this.#members) {
      rmSync(join(hsm.directory, 'tokens'), { recursive: true });
      cpSync(join(this.#kept, name), join(hsm.directory, 'tokens'), { recursive: true });
    }
    for (const file of catalogFiles(this.#folder)) rmSync(join(this.#folder, file));
    for (const file of catalogFiles(this.#kept)) cpSync(join(this.#kept, file), join(this.#folder, file));
  }

  /**
   * SoftHSM empties a token's file and writes it anew at each login: a kill in between loses the token, which no HSM would.
   * Puts such files back. Keys have files of their own.
   */
  mendTornTokens(): void {
    for (const { name, hsm } of this.#members) {
      const tokens = join(hsm.directory, 'tokens');
      for (const token of readdirSync(tokens)) {
        const [kept, now] = [join(this.#kept, name, token, 'token.object'), join(tokens, token, 'token.object')];
        if (statSync(now).size < statSync(kept).size) cpSync(kept, now);
      }
    }
  }
}

function catalogFiles(folder: string): string[] {
  return readdirSync(folder).filter((file) => file.startsWith('catalog.sqlite'));
}
