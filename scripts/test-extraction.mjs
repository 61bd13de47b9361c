#!/usr/bin/env node
/**
 * `npm run test:extraction`: the key-extraction suite on prepared tokens, with NSS and kryoptic if they are there.
 * `npm run test:extraction -- --module … --token … --key-id …`: on a token of yours (docs/extraction.md).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';
import { runMain } from './steps.mjs';

await runMain(async () => {
  const given = process.argv.slice(2);
  await setup({ quiet: true });
  const vitest = [process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/extraction'];
  const program = [join(root, 'native/build/Release/extraction'), ...given];
  const [command, ...rest] = given.length > 0 ? program : vitest;
  const { status } = spawnSync(command, rest, { cwd: given.length > 0 ? process.cwd() : root, stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
