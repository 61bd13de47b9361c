/**
 * Runs a TypeScript program of test/faults directly, once everything is set up: `node scripts/faults-main.mjs <program>
 * [arguments]`.
 */
import { setup } from './setup.mjs';
import { runMain } from './steps.mjs';

const [program] = process.argv.splice(2, 1);
await runMain(async () => {
  // Only the report goes to stdout.
  await setup({ quiet: false, output: process.stderr });
  await import('../test/contract/typescript-hooks.mjs');
  await import(`../test/faults/${program}.ts`);
});
