import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FaultKind, faultKinds } from './fault-kinds.js';
import { type CellOutcome, cellName, problemsOf, type Rig, runCell } from './matrix.js';
import { documentedTable, printOutcomes, updateDocumentedOutcomes } from './outcome-table.js';
import type { Operation } from './operations.js';
import { pending, printPending } from './pending.js';
import { clusterRig, type DisposableRig, serverRig } from './rigs.js';

/** Set by `npm run test:faults`. Otherwise each kind meets one operation in each rig, and all operations have their turn. */
const full = process.env['HOLDFAST_FAULTS'] === 'full';
const outcomes: CellOutcome[] = [];
const kinds = faultKinds.filter(({ name }) => !pending.has(name));

function operationsFor(kind: FaultKind, index: number, rig: Rig): readonly Operation[] {
  const possible = rig.operations.filter(({ name }) => kind.operations?.includes(name) ?? true);
  if (full || possible.length < 2) return possible;
  return possible.slice(index % possible.length).slice(0, 1);
}

/** A cell that leaves the HSM ill, as it must or because of a defect, is the last one of its rig. */
async function runKind(kind: FaultKind, index: number, rig: () => Rig, renew: () => Promise<void>): Promise<string[]> {
  const problems: string[] = [];
  for (const { name } of operationsFor(kind, index, rig())) {
    const operation = rig().operations.find((candidate) => candidate.name === name);
    if (operation === undefined) throw new Error(`The rig has no operation ${name}.`);
    try {
      const outcome = await runCell(rig(), kind, operation);
      outcomes.push(outcome);
      problems.push(...problemsOf(outcome, kind, rig().operationTimeoutMs));
      if (kind.needsOperator === true) await renew();
    } catch (error) {
      const cell = cellName({ kind: kind.name, operation: name, memberCount: rig().memberCount });
      problems.push(`${cell}: ${(error as Error).message}`);
      await renew();
    }
  }
  return problems;
}

describe.each([
  ['a server with one member', () => serverRig(1)],
  ['a server with two members', () => serverRig(2)],
  ['a cluster of one member', () => clusterRig(1)],
  ['a cluster of two members', () => clusterRig(2)],
] as const)('%s', (_name, open) => {
  let rig: DisposableRig;
  const renew = async (): Promise<void> => {
    await rig.dispose();
    rig = await open();
  };

  beforeAll(async () => {
    rig = await open();
  });
  afterAll(() => rig.dispose());

  test.each(kinds.map((kind, index) => [kind.name, kind, index] as const))(
    'an HSM that %s',
    async (_kindName, kind, index) => {
      expect(await runKind(kind, index, () => rig, renew)).toEqual([]);
    },
    120_000,
  );
});

test('docs/faults/outcomes.md has a row for each kind', () => {
  const missing = kinds.filter(({ name }) => !documentedTable('outcomes').includes(`\n| ${name} |`));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

afterAll(() => {
  printOutcomes(outcomes);
  printPending();
  if (full) updateDocumentedOutcomes(outcomes);
});
