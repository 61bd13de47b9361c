#!/usr/bin/env node
/** `npm test [-- <vitest arguments>]`: `npm run setup`, silently, then all tests. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';
import { runMain } from './steps.mjs';

await runMain(async () => {
  await setup({ quiet: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
});
