// Prints the closing line of a test run: how many tests passed, failed and were skipped. Fails when none ran.
import { readFileSync } from 'node:fs';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: count-tests.mjs RESULTS.json');
  process.exit(2);
}
const results = JSON.parse(readFileSync(file, 'utf8'));
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = results;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
