#!/usr/bin/env node
/** `npm run test:faults [-- <vitest arguments>]`: the fault suites at full length; writes the outcomes into docs/faults/outcomes.md. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';
import { runMain } from './steps.mjs';

await runMain(async () => {
  await setup({ quiet: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/faults', ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, HOLDFAST_FAULTS: 'full' },
  });
  process.exitCode = status ?? 1;
});
