import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The min length of a secret: shorter ones would be found by chance. */
const minSecretBytes = 7;

/** Every secret that a test run used, for a search in everything that was written (invariant 11). */
export class SecretLedger {
  readonly #secrets = new Map<string, Buffer>();

  /** @param what names it in the report, e.g. `PIN of the default key store`. */
  add(what: string, secret: Uint8Array | string): void {
    const bytes = Buffer.from(secret);
    if (bytes.length >= minSecretBytes) this.#secrets.set(`${what} #${this.#secrets.size}`, bytes);
  }

  get size(): number {
    return this.#secrets.size;
  }

  /** Where a secret occurs in clear, hex, base64 or base64url; each as `<what> in <where>`. */
  findIn(where: string, content: Buffer): string[] {
    const text = content.toString('latin1');
    return [...this.#secrets]
      .filter(([, secret]) => spellings(secret).some((spelling) => text.includes(spelling)))
      .map(([what]) => `${what} in ${where}`);
  }

  /** Searches every file below a folder, except those whose names `ignored` matches. */
  findBelow(folder: string, ignored: RegExp): string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !ignored.test(path))
      .flatMap((path) => this.findIn(path, readFileSync(path)));
  }
}

function spellings(secret: Buffer): string[] {
  // Base64 of a part of a longer text depends on the offset; without its last group it is found with any padding.
  const base64 = secret.toString('base64').replace(/=+$/, '').slice(0, -1);
  const base64url = base64.replaceAll('+', '-').replaceAll('/', '_');
  return [secret.toString('latin1'), secret.toString('hex'), secret.toString('hex').toUpperCase(), base64, base64url];
}
