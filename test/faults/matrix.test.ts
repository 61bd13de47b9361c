import { afterAll, expect, test } from 'vitest';
import type { CellOutcome } from './matrix.js';
import { describeMatrix, suiteKinds } from './matrix-suite.js';
import { documentedTable, printOutcomes, updateDocumentedOutcomes } from './outcome-table.js';
import { printPending } from './pending.js';
import { clusterRig, serverRig } from './rigs.js';

/** Set by `npm run test:faults`. */
const full = process.env['HOLDFAST_FAULTS'] === 'full';
const outcomes: CellOutcome[] = [];

for (const [name, open] of [
  ['a server with one member', () => serverRig(1)],
  ['a server with three members', () => serverRig(3)],
  ['a cluster of one member', () => clusterRig(1)],
  ['a cluster of three members', () => clusterRig(3)],
] as const) {
  describeMatrix({ name, open, full, outcomes });
}

test('docs/faults/outcomes.md has a row for each kind', () => {
  const missing = suiteKinds.filter(({ name }) => !documentedTable('outcomes').includes(`\n| ${name} |`));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

afterAll(() => {
  printOutcomes(outcomes);
  printPending();
  if (full) updateDocumentedOutcomes(outcomes);
});
