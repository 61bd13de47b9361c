/** The place of the built kryoptic: outside the tree, so a fresh clone and `npm ci` keep it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The crate that exports kryoptic's entry points. */
export const crate = fileURLToPath(new URL('../test/kryoptic-module', import.meta.url));
const sources = ['Cargo.toml', 'Cargo.lock', 'src/lib.rs'];

/** The folder of builds from exactly these sources, for this architecture. */
export function kryopticCache() {
  const hash = createHash('sha256').update(process.arch);
  for (const file of sources) hash.update(readFileSync(join(crate, file)));
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'holdfast', `kryoptic-${hash.digest('hex').slice(0, 16)}`);
}

/** The library's path, whether the file exists or not. */
export function kryopticLibrary() {
  return join(kryopticCache(), 'libkryoptic_module.so');
}
