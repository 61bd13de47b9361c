import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FaultHsm, putFaultsBefore } from '../native/fault-hsm.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { waysInto } from './hung-pool.js';
import { waitFor } from '../wait-for.js';

/** A process ends while a call hangs inside its module: it does end, as requested, and writes all its output. */

const full = process.env['HOLDFAST_FAULTS'] === 'full';
/** Three seconds for hanging calls; the rest is the machine's. */
const endBoundMs = 15_000;
const exitCodes = { exit: 5, exception: 1, natural: 4, terminate: 6 } as const;
type End = keyof typeof exitCodes;

interface Cell {
  functionName: string;
  privateInstance: boolean;
  end: End;
  pools?: number;
}

const ends = Object.keys(exitCodes) as End[];
const every = Object.keys(waysInto).flatMap((functionName) =>
  [true, false].flatMap((privateInstance) => ends.map((end): Cell => ({ functionName, privateInstance, end }))),
);
const short: Cell[] = [
  { functionName: 'C_GenerateRandom', privateInstance: true, end: 'exit' },
  { functionName: 'C_CloseSession', privateInstance: false, end: 'terminate' },
  { functionName: 'C_Finalize', privateInstance: true, end: 'exception' },
  { functionName: 'C_Finalize', privateInstance: false, end: 'natural' },
];
const nameOf = ({ functionName, privateInstance, end }: Cell): string =>
  `${end} with ${functionName}, ${privateInstance ? 'private' : 'shared'}`;

let hsm: SoftHsm;
let fault: FaultHsm;

beforeEach(() => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  fault = putFaultsBefore(hsm);
});

afterEach(() => {
  fault.heal();
  hsm.dispose();
});

interface Ended {
  code: unknown;
  signal: unknown;
  stderr: string;
  tookMs: number;
}

async function endWhileItHangs({ functionName, privateInstance, end, pools = 1 }: Cell): Promise<Ended> {
  const job = {
    addon: fileURLToPath(new URL('../../native/build/Release/holdfast.node', import.meta.url)),
    module: { ...fault.module, privateInstance },
    // A process that ends by itself does so once its promises are settled. On a busy machine the call needs a while to get in.
    deadlineMs: end === 'natural' ? 3_000 : 60_000,
    destroys: functionName === 'C_DestroyObject',
    reopens: ['C_Initialize', 'C_GetSlotList', 'C_GetMechanismList'].includes(functionName),
    end,
    pools,
  };
  const child = fork(fileURLToPath(new URL('hung-end-process.mjs', import.meta.url)), [JSON.stringify(job)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close');
  await once(child, 'message');
  fault.obey(`${functionName} hang`);
  const called = once(child, 'message');
  child.send('call');
  await called;
  if (functionName !== 'C_Finalize') await waitFor(() => expect(fault.inside(functionName)).toBeGreaterThan(0));
  const startedMs = performance.now();
  child.send('end');
  const [code, signal] = (await ended) as unknown[];
  return { code, signal, stderr, tookMs: performance.now() - startedMs };
}

describe('a process ends by', () => {
  test.each((full ? every : short).map((cell) => [nameOf(cell), cell] as const))(
    '%s',
    async (_name, cell) => {
      const { code, signal, stderr, tookMs } = await endWhileItHangs(cell);
      expect({ code, signal }).toEqual({ code: exitCodes[cell.end], signal: null });
      if (cell.end === 'exception') expect(stderr).toContain('the end of the process');
      else expect(stderr).toBe('');
      expect(tookMs).toBeLessThan(endBoundMs);
    },
    90_000,
  );

  test('exit with many pools, which are waited for together', async () => {
    const pools = 8;
    const cell: Cell = { functionName: 'C_GenerateRandom', privateInstance: true, end: 'exit', pools };
    const { code, tookMs } = await endWhileItHangs(cell);
    expect(code).toBe(exitCodes.exit);
    // Three seconds for each pool in turn would take longer.
    expect(tookMs).toBeLessThan(endBoundMs);
  }, 90_000);
});
