/** `npm run test:chaos -- <minutes> [seed]`: progress on stderr, the report as JSON on stdout. */
import { runChaos } from './chaos.js';

const [minutes = '5', given] = process.argv.slice(2);
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
const durationMs = Number(minutes) * 60_000;
if (!(durationMs > 0) || !Number.isInteger(seed)) {
  process.stderr.write('Usage: npm run test:chaos -- <minutes> [seed]\n');
  process.exit(2);
}

process.stderr.write(`Seed ${seed}: run again with \`npm run test:chaos -- ${minutes} ${seed}\`.\n`);
const onRound = (line: string): void => void process.stderr.write(`${line}\n`);
const { sizes, ...report } = await runChaos({ durationMs, seed, callers: 64, onRound });
process.stdout.write(`${JSON.stringify({ ...report, size: { first: sizes[0], last: sizes.at(-1) } }, null, 2)}\n`);
const bad = report.wrongResults.length + report.untyped.length + report.failedWhileOneWasWell;
process.stderr.write(bad === 0 ? 'No wrong result, no failed call while one member was well.\n' : 'FAILED.\n');
// Hanging threads of the addon must not keep the process alive.
process.exit(bad === 0 ? 0 : 1);
