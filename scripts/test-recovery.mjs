#!/usr/bin/env node
/**
 * `npm run test:recovery -- [--keys <n>]`: a site with so many keys is lost in parts, and comes back by the commands of
 * docs/operating/disaster-recovery.md; changed archives and planted rollbacks are refused. Prints the times as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from './setup.mjs';
import { runMain } from './steps.mjs';

const suites = ['test/recovery', 'test/e2e/archive-walk', 'test/e2e/planted-rollbacks'];

await runMain(async () => {
  const { values } = parseArgs({ options: { keys: { type: 'string', default: '1000' } } });
  await setup({ quiet: false, output: process.stderr });
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-recovery-'));
  const results = join(folder, 'results.jsonl');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const env = { ...process.env, HOLDFAST_RECOVERY_KEYS: values.keys, HOLDFAST_RECOVERY_RESULTS: results };
  const child = spawn(process.execPath, [vitest, 'run', ...suites], { cwd: root, stdio: ['ignore', 2, 2], env });
  const [code] = await once(child, 'exit');
  const lines = existsSync(results) ? readFileSync(results, 'utf8').split('\n').filter(Boolean) : [];
  rmSync(folder, { recursive: true });
  process.stdout.write(
    `${JSON.stringify(
      lines.map((line) => JSON.parse(line)),
      null,
      2,
    )}\n`,
  );
  process.exitCode = code ?? 1;
});
