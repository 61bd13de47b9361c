import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FaultKind, faultKinds } from './fault-kinds.js';
import { type CellOutcome, cellName, problemsOf, type Rig, runCell } from './matrix.js';
import type { Operation } from './operations.js';
import { pending } from './pending.js';
import type { DisposableRig } from './rigs.js';

/** The fault kinds of the suite. */
export const suiteKinds = faultKinds.filter(({ name }) => !pending.has(name));

export interface MatrixSuite {
  /** The rig of the fault kinds. */
  name: string;
  open: () => Promise<DisposableRig>;
  /** Every operation with every kind. Otherwise one operation for each kind, and all operations take turns. */
  full: boolean;
  outcomes?: CellOutcome[];
}

/** A test for each kind of fault, all on one rig. */
export function describeMatrix({ name: suiteName, open, full, outcomes }: MatrixSuite): void {
  let rig: DisposableRig;
  const renew = async (): Promise<void> => {
    await rig.dispose();
    rig = await open();
  };

  /** A cell that leaves the HSM ill, as it must or because of a defect, is the last one on its rig. */
  async function runKind(kind: FaultKind, index: number): Promise<string[]> {
    const problems: string[] = [];
    for (const { name } of operationsFor(kind, index, rig, full)) {
      const operation = rig.operations.find((candidate) => candidate.name === name);
      if (operation === undefined) throw new Error(`The rig has no operation ${name}.`);
      try {
        const outcome = await runCell(rig, kind, operation);
        outcomes?.push(outcome);
        problems.push(...problemsOf(outcome, kind, rig.operationTimeoutMs));
        if (kind.needsOperator === true) await renew();
      } catch (error) {
        const cell = cellName({ kind: kind.name, operation: name, memberCount: rig.memberCount });
        problems.push(`${cell}: ${(error as Error).message}`);
        await renew();
      }
    }
    return problems;
  }

  describe(suiteName, () => {
    beforeAll(async () => {
      rig = await open();
    });
    afterAll(() => rig.dispose());

    test.each(suiteKinds.map((kind, index) => [kind.name, kind, index] as const))(
      'an HSM that %s',
      async (_kindName, kind, index) => {
        expect(await runKind(kind, index)).toEqual([]);
      },
      120_000,
    );
  });
}

function operationsFor(kind: FaultKind, index: number, rig: Rig, full: boolean): readonly Operation[] {
  const possible = rig.operations.filter(({ name }) => kind.operations?.includes(name) ?? true);
  if (full || possible.length < 2) return possible;
  return possible.slice(index % possible.length).slice(0, 1);
}
