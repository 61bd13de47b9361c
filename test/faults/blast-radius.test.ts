import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Blast,
  BlastRig,
  blastTable,
  everyReturnValue,
  functionsOf,
  problemsOf,
  representativeReturnValues,
  type Scope,
} from './blast-radius.js';
import { documentedTable, printTable, updateDocumentedTable } from './outcome-table.js';

/** Set by `npm run test:faults`: every code. Otherwise one code of each class that the table treats in the same way. */
const full = process.env['HOLDFAST_FAULTS'] === 'full';
const blasts: Blast[] = [];
const scopes = Object.keys(functionsOf) as Scope[];
const rows = scopes.flatMap((scope) => functionsOf[scope].map((functionName) => [functionName, scope] as const));

let rig: BlastRig;

beforeAll(async () => {
  rig = await BlastRig.open();
});
afterAll(async () => {
  await rig.dispose();
  const table = blastTable(blasts);
  printTable(table);
  // Two lines of heading. A run of only some rows must not remove the others.
  if (full && table.length === rows.length + 2) updateDocumentedTable('blast', table);
});

/** A member that is ill as a whole takes time to return. */
function codesFor(scope: Scope, row: number): number[] {
  if (full) return everyReturnValue();
  const codes = representativeReturnValues();
  if (scope === 'one key of three' || scope === 'one ciphertext') return codes;
  return codes.filter((_, index) => index % 8 === row % 8);
}

test.each(rows.map(([functionName, scope], row) => [functionName, scope, row] as const))(
  '%s fails for %s',
  async (functionName, scope, row) => {
    const problems: string[] = [];
    if (rig.lostSessions) {
      await rig.dispose();
      rig = await BlastRig.open();
    }
    for (const rv of codesFor(scope, row)) {
      try {
        const blast = await rig.run({ functionName, scope, rv });
        blasts.push(blast);
        problems.push(...problemsOf(blast));
      } catch (error) {
        problems.push(`${functionName} answers 0x${rv.toString(16)} for ${scope}: ${(error as Error).message}`);
        await rig.dispose();
        rig = await BlastRig.open();
      }
    }
    expect(problems).toEqual([]);
  },
  full ? 600_000 : 60_000,
);

test('a ciphertext that was refused only once is not reported as bad', async () => {
  const [key] = rig.keys;
  if (key === undefined) throw new Error('There are keys.');
  for (const rv of everyReturnValue()) {
    rig.fixture.fault.obey(`C_Decrypt times 1 rv ${rv}`);
    await rig.decrypt(key);
  }
  expect(rig.fixture.events).not.toContain('suspended one');
});

test('docs/faults/outcomes.md has a row for each function and its targets', () => {
  const missing = rows.filter(([name, scope]) => !documentedTable('blast').includes(`| \`${name}\` | ${scope} |`));
  expect(missing).toEqual([]);
});
