#!/usr/bin/env node
/**
 * `npm run test:crash -- [--shards <n>] [--results <file>] [-- <vitest arguments>]`: servers and ceremonies that are
 * killed at each of their PKCS#11 calls. Points that the results file has are not tried again. Prints a summary as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from './setup.mjs';
import { runMain } from './steps.mjs';

const options = {
  shards: { type: 'string', default: '2' },
  results: { type: 'string', default: join(root, 'crash-results.jsonl') },
};

/** One share of the points, in a process of its own. @returns its exit code */
async function sweep(shard, results, more) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const env = { ...process.env, HOLDFAST_CRASH_SHARD: shard, HOLDFAST_CRASH_RESULTS: results };
  const given = ['run', 'test/crash', '--no-file-parallelism', ...more];
  const child = spawn(process.execPath, [vitest, ...given], { cwd: root, stdio: ['ignore', 2, 2], env });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

/** For each scenario, over all runs that wrote into the file. */
function summaryOf(results) {
  const lines = existsSync(results) ? readFileSync(results, 'utf8').split('\n') : [];
  const summary = {};
  for (const { scenario, point, reached, problems, tookMs } of lines.filter(Boolean).map((line) => JSON.parse(line))) {
    summary[scenario] ??= { points: 0, notReached: 0, tookMs: 0, failures: [] };
    const row = summary[scenario];
    row.points += 1;
    row.notReached += reached ? 0 : 1;
    row.tookMs += tookMs;
    if (problems.length > 0) row.failures.push({ point, problems });
  }
  return summary;
}

await runMain(async () => {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  await setup({ quiet: false, output: process.stderr });
  const shards = Number(values.shards);
  const results = resolve(values.results);
  const shares = Array.from({ length: shards }, (_, index) => `${index + 1}/${shards}`);
  const codes = await Promise.all(shares.map((shard) => sweep(shard, results, positionals)));
  process.stdout.write(`${JSON.stringify(summaryOf(results), null, 2)}\n`);
  process.exitCode = Math.max(...codes);
});
