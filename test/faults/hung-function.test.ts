import { afterEach, describe, expect, test } from 'vitest';
import { inMilliseconds, soon } from '../native/fixture.js';
import {
  callers,
  type CallerName,
  comesBack,
  hangsIn,
  hungPool,
  type HungPool,
  kindOf,
  serves,
  waysInto,
} from './hung-pool.js';
import { waitFor } from '../wait-for.js';

/**
 * Every PKCS#11 function hangs once, on every path into it, in a private and in a shared instance: its caller is
 * answered, the neighbour serves, and the member returns while the call still hangs, or fails in a way that recovery
 * counts.
 */

interface Cell {
  functionName: string;
  caller: CallerName;
  privateInstance: boolean;
}

const full = process.env['HOLDFAST_FAULTS'] === 'full';
/** The functions that `npm test` covers; `npm run test:faults` covers all. */
const short: readonly string[] = [
  'C_GenerateKey by generateKey, shared',
  'C_FindObjects by inventory, private',
  'C_OpenSession by inventory, shared',
  'C_GetTokenInfo by reopen, shared',
  'C_Login by login, private',
  'C_Finalize by reopen, private',
];
const nameOf = ({ functionName, caller, privateInstance }: Cell): string =>
  `${functionName} by ${caller}, ${privateInstance ? 'private' : 'shared'}`;

/** While the neighbour uses it, a shared instance is neither initialised nor finalised. */
const happens = ({ functionName, privateInstance }: Cell): boolean =>
  privateInstance || !['C_Initialize', 'C_Finalize'].includes(functionName);

const cells = Object.entries(waysInto)
  .flatMap(([functionName, ways]) =>
    ways.flatMap((caller) => [true, false].map((privateInstance): Cell => ({ functionName, caller, privateInstance }))),
  )
  .filter((cell) => happens(cell) && (full || short.includes(nameOf(cell))))
  .map((cell) => [nameOf(cell), cell] as const);

/** A hanging login keeps its PIN locked; a hanging slot in a shared instance keeps its own token out. */
function mayStayOut({ functionName, privateInstance }: Cell): boolean {
  const ofSlot = ['C_GetInfo', 'C_GetTokenInfo', 'C_GetMechanismList'].includes(functionName);
  return functionName === 'C_Login' || (!privateInstance && ofSlot);
}

let rig: HungPool;

afterEach(() => rig.dispose());

describe('a call that hangs in', () => {
  test.each(cells)(
    '%s',
    async (_name, cell) => {
      const { functionName } = cell;
      rig = await hungPool(cell.privateInstance);
      rig.fault.obey(`${functionName} times 1 hang`);
      const call = kindOf(callers[cell.caller](rig));
      await hangsIn(rig, functionName);
      expect(['answered', 'lane-deadline', 'overdue', 'queue-deadline']).toContain(await call);
      rig.pool.resume(rig.well);
      await serves(rig, rig.well);
      expect(rig.fault.inside(functionName)).toBe(1);
      const kinds = [await comesBack(rig), await comesBack(rig)];
      if (mayStayOut(cell)) for (const kind of kinds) expect(['back', 'lane-deadline']).toContain(kind);
      else expect(kinds).toContain('back');
      expect(rig.fault.inside(functionName)).toBe(1);
      await serves(rig, rig.well);
      rig.fault.heal();
      await waitFor(() => expect(rig.fault.inside(functionName)).toBe(0));
      await waitFor(async () => expect(await comesBack(rig)).toBe('back'));
    },
    60_000,
  );
});

describe('closing while a call hangs in', () => {
  const closing = cells.filter(
    ([, { functionName, caller }]) => full || caller === 'generateKey' || functionName === 'C_Finalize',
  );
  const atClose = new Set(['C_Finalize', 'C_CloseSession']);

  test.each(closing)(
    '%s: reports by its deadline how many threads are inside',
    async (_name, cell) => {
      const { functionName } = cell;
      rig = await hungPool(cell.privateInstance);
      rig.fault.obey(`${functionName} hang`);
      const call = atClose.has(functionName) ? undefined : kindOf(callers[cell.caller](rig));
      if (call !== undefined) await hangsIn(rig, functionName);
      const inside = await rig.pool.close(inMilliseconds(500));
      expect(inside).toBeGreaterThan(0);
      expect(inside).toBeGreaterThanOrEqual(rig.fault.inside(functionName));
      if (call !== undefined) expect(await call).toBeDefined();
      rig.fault.heal();
      expect(await rig.pool.close(soon())).toBe(0);
      expect(rig.fault.inside(functionName)).toBe(0);
    },
    60_000,
  );
});
