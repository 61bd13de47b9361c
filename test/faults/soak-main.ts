/**
 * `npm run soak -- <minutes> [seed]`: random faults for a long time; memory, threads and descriptors must stay flat.
 */
import { runChaos } from './chaos.js';
import { grown, growthOf } from './growth.js';

const [minutes = '10', given] = process.argv.slice(2);
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
const durationMs = Number(minutes) * 60_000;
if (!(durationMs > 0) || !Number.isInteger(seed)) {
  process.stderr.write('Usage: npm run soak -- <minutes> [seed]\n');
  process.exit(2);
}

const progressEveryMs = 10_000;
let shownMs = -progressEveryMs;
process.stderr.write(`Seed ${seed}: run again with \`npm run soak -- ${minutes} ${seed}\`.\n`);
const report = await runChaos({
  durationMs,
  seed,
  callers: 16,
  measuresHeap: true,
  onRound: (line) => {
    if (performance.now() - shownMs < progressEveryMs) return;
    shownMs = performance.now();
    process.stderr.write(`${line}\n`);
  },
});
const { sizes, ...rest } = report;
const growth = growthOf(sizes);
const needless = report.failedRounds.filter(({ oneWasWell }) => oneWasWell);
const problems = [
  ...grown(growth),
  ...report.wrongResults,
  ...report.untyped,
  ...needless.map((round) => JSON.stringify(round)),
];
const size = { start: sizes[0], middle: sizes[Math.floor(sizes.length / 2)], end: sizes.at(-1) };
process.stdout.write(`${JSON.stringify({ ...rest, size, growth, problems }, null, 2)}\n`);
process.exit(problems.length === 0 ? 0 : 1);
