/** `npm run bench`: sets up its dependencies, then runs the TypeScript sources of the bench directly. */
import { setup } from '../scripts/setup.mjs';
import { runMain } from '../scripts/steps.mjs';

await runMain(async () => {
  // Only the result goes to stdout.
  if (!process.argv.includes('--no-build')) await setup({ quiet: false, withBench: true, output: process.stderr });
  await import('../test/contract/typescript-hooks.mjs');
  await import('./main.ts');
});
