/** A build context like a fresh clone, with decoys: files that must not get into an image. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../setup.mjs';
import { execute } from '../steps.mjs';

const decoys = [
  '.env',
  '.git/config',
  '.holdfast/default.pin',
  '.npmrc',
  'decoy.key',
  'dist/decoy.js',
  'docs/decoy.md',
  'native/build/Release/decoy.node',
  'native/build/Release/holdfast.node',
  'node_modules/decoy/index.js',
  'node_modules/better-sqlite3/build/Release/better_sqlite3.node',
  'src/api/gen/decoy.ts',
  'src/faces/grpc/gen/decoy.ts',
];

/** Copies the files that git tracks or would add, and nothing that was built or installed here. */
export async function makeContext() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-context-'));
  const decoy = `decoy-${randomBytes(16).toString('hex')}`;
  const listed = await execute('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const name of new Set(listed.split('\0').filter((name) => name !== '' && existsSync(join(root, name))))) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  for (const name of decoys) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `${decoy}\n`);
  }
  return { folder, decoy, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
