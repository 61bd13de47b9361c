/** `npm run bench`: sets up its dependencies, then runs the TypeScript sources of the bench directly. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, setup } from '../scripts/setup.mjs';
import { runMain } from '../scripts/steps.mjs';

/** Help waits for a build only in a clone that has never been built: the bench's own code needs the generated one. */
function needsNoBuild() {
  if (process.argv.includes('--no-build')) return true;
  return process.argv.includes('--help') && existsSync(join(root, 'dist'));
}

await runMain(async () => {
  // Only the result goes to stdout.
  if (!needsNoBuild()) await setup({ quiet: false, withBench: true, output: process.stderr });
  await import('../test/contract/typescript-hooks.mjs');
  await import('./main.ts');
});
