/** A ceremony whose process is killed (SIGKILL) while a call is inside an HSM: the next run completes it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../faults/replicated-server.js';
import { CeremonyCluster } from './ceremony-cluster.js';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

// A ceremony makes RSA keys of 3,072 bits, and each test holds two or three ceremonies.
vi.setConfig({ testTimeout: 300_000 });

let cluster: CeremonyCluster;
beforeEach(() => {
  cluster = new CeremonyCluster(['a', 'b']);
});
afterEach(() => cluster.dispose());

/** Kills a run of the command while the call is inside member b's HSM. */
async function killInside(command: string, call: string): Promise<void> {
  const fault = cluster.putFaultsBefore('b');
  const [functionName = ''] = call.split(' ');
  fault.obey(`${call} hang`);
  const words = ['cluster', command, 'payments', '--config', cluster.config, ...cluster.answers()];
  const child = spawn(process.execPath, [program, ...words], {
    cwd: cluster.folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  try {
    const isInside = (): boolean => child.exitCode !== null || fault.inside(functionName) === 1;
    await until(`${functionName} is inside`, isInside, 120_000);
    expect(child.exitCode, said).toBeNull();
  } finally {
    child.kill('SIGKILL');
    await ended;
    fault.heal();
  }
}

async function expectComplete(generations: number[]): Promise<void> {
  const { outcome, printed } = await cluster.json('status');
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const members = printed['members'] as { generations: { number: number; digest: string }[] }[];
  expect(members.map((member) => member.generations.map(({ number }) => number))).toEqual([generations, generations]);
  expect(new Set(members.map((member) => member.generations.at(-1)?.digest)).size).toBe(1);
}

test.each([
  ['the login', 'C_Login'],
  ['its carry key', 'C_GenerateKeyPair'],
  ['its first cluster key', 'C_UnwrapKey'],
  ['its last cluster key', 'C_UnwrapKey after 3'],
])('init, killed during %s, is completed by another run', async (_, call) => {
  await killInside('init', call);
  const { outcome, printed } = await cluster.json('init', cluster.answers());
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(printed).toMatchObject({ generation: 1, successful_attacks: 0 });
  await expectComplete([1]);
});

test('a rotation, killed after the first member has its mark, is finished and not begun anew', async () => {
  expect((await cluster.run('init', cluster.answers())).exitCode).toBe(0);
  // Each of the three check values of wrapping keys makes an object in b; the fourth object is its mark.
  await killInside('rotate-wrapping-key', 'C_CreateObject after 3');
  const { printed } = await cluster.json('status');
  expect(printed['generations']).toMatchObject([
    { number: 1, missing: [] },
    { number: 2, missing: ['b'] },
  ]);
  const { outcome, printed: finished } = await cluster.json('rotate-wrapping-key', cluster.answers());
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(finished).toMatchObject({ generation: 2, attested: false });
  await expectComplete([1, 2]);
});

test('no file of a killed run is in the way of the next one', async () => {
  await killInside('init', 'C_UnwrapKey after 1');
  const record = join(cluster.folder, 'record.json');
  expect((await cluster.run('init', [...cluster.answers(), '--record', record])).exitCode).toBe(0);
  expect(cluster.record(record)).toMatchObject({ generation: 1, purpose: 'init' });
});
