#!/usr/bin/env node
/** `npm run test:crash [-- <vitest arguments>]`: servers that are killed at every PKCS#11 function while they copy keys. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';
import { runMain } from './steps.mjs';

await runMain(async () => {
  await setup({ quiet: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(
    process.execPath,
    [vitest, 'run', 'test/e2e/replication-crash.test.ts', ...process.argv.slice(2)],
    { cwd: root, stdio: 'inherit', env: { ...process.env, HOLDFAST_CRASH: 'full' } },
  );
  process.exitCode = status ?? 1;
});
