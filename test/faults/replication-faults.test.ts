/** Every kind of fault in every PKCS#11 call that copies a key, in CreateKey and in a repair. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyCells, copyFaults } from './replication-faults.js';
import { ReplicationRig } from './replication-rig.js';

/** Set by `npm run test:faults`. Otherwise each kind has one cell. */
const full = process.env['HOLDFAST_FAULTS'] === 'full';

let rig: ReplicationRig;
beforeAll(async () => {
  rig = await ReplicationRig.open();
});
afterAll(() => rig.dispose());

test.each(copyFaults.map((fault, index) => [fault.name, fault, index] as const))(
  'a member that %s while a key is copied',
  async (_name, fault, index) => {
    const cells = copyCells(fault);
    const chosen = full ? cells : cells.filter((_, position) => position === (index * 5) % cells.length);
    const problems: string[] = [];
    for (const cell of chosen) problems.push(...(await rig.run(cell)));
    problems.push(...(await rig.settle()));
    expect(problems).toEqual([]);
  },
  300_000,
);
