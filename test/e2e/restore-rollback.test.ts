/** Restores where the members have seen other catalogs since, or show forged witnesses. */
import { copyFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { plantWitness } from './token-witness.js';
import { TwoClusters } from './two-clusters.js';

const raised = 2 ** 28;

let two: TwoClusters;
let archive: string;
let ciphertext: unknown;

beforeEach(async () => {
  two = await TwoClusters.make();
  archive = await two.serving(async (client, { server }) => {
    const [[keyId]] = await two.makeKeys(client, 1, 1);
    ({ ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('a') }));
    await server.witnesses.runNow();
    return two.backUp();
  });
});
afterEach(() => two.dispose());

function column(query: string): unknown[] {
  const database = new Database(two.catalogPath, { readonly: true });
  try {
    return database.prepare(query).pluck().all();
  } finally {
    database.close();
  }
}

const counts = (): number[] =>
  column(
    `select coalesce(reserved_encryptions, 0) from materials left join encryption_reservations using (material_id)
     order by material_id`,
  ) as number[];
const predecessors = (): unknown[] => column('select incarnation_id from catalog_predecessors order by 1');

const foreign = (byte: number) => ({
  incarnation: new Uint8Array(16).fill(byte),
  epoch: byte,
  writtenMs: byte,
  deployment: 'elsewhere',
});

/** Each member of both clusters has seen another catalog, or was made to say so. */
async function plantOnAll(): Promise<void> {
  const { members, deployment } = two.wrapped;
  for (const [index, { hsm }] of members.entries())
    await plantWitness(hsm, deployment.defaultCluster, foreign(index + 1));
  for (const [index, { hsm }] of two.members.entries()) await plantWitness(hsm, two.second, foreign(index + 8));
}

async function expectServed(): Promise<void> {
  await two.serving(async (client, { server }) => {
    const { plaintext } = await client.call('Decrypt', { ciphertext_blob: ciphertext });
    expect(plaintext).toEqual(Buffer.from('a'));
    // Every member takes the witness of the restored catalog.
    await server.witnesses.runNow();
  });
}

it('a different witness on every member: one restore takes over from all, and the counts rise once', async () => {
  const before = counts();
  two.loseCatalog();
  await plantOnAll();
  const { outcome } = await two.restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(counts()).toEqual(before.map((count) => count + raised));
  await expectServed();
  await expectServed();
});

it('a member that was away shows its witness to the next restore: that costs nothing more', async () => {
  const before = counts();
  two.loseCatalog();
  await plantOnAll();
  two.wrapped.member(1).fault.remove('device-error');
  expect((await two.restore(archive)).outcome.exitCode).toBe(5);
  two.wrapped.member(1).fault.heal();
  const followed = predecessors();
  const dry = await two.restore(archive, '--dry-run');
  expect([dry.outcome.exitCode, predecessors()]).toEqual([0, followed]);
  const { outcome, printed } = await two.restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(printed).toMatchObject({ catalog: null });
  expect(counts()).toEqual(before.map((count) => count + raised));
  await expectServed();
});

it('a catalog that was used since is not taken for a restored one', async () => {
  two.loseCatalog();
  expect((await two.restore(archive)).outcome.exitCode).toBe(0);
  await expectServed();
  await plantWitness(two.wrapped.member(1).hsm, two.wrapped.deployment.defaultCluster, foreign(7));
  const { outcome } = await two.restore(archive);
  expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('by another catalog') as string]);
});

it('a copy of a restored catalog from before it was used takes over from no later one', async () => {
  two.loseCatalog();
  expect((await two.restore(archive)).outcome.exitCode).toBe(0);
  const unused = `${two.catalogPath}.unused`;
  copyFileSync(two.catalogPath, unused);
  await expectServed();
  two.loseCatalog();
  expect((await two.restore(archive)).outcome.exitCode).toBe(0);
  await expectServed();
  two.loseCatalog();
  copyFileSync(unused, two.catalogPath);
  // The second run finds what the first one recorded.
  for (let run = 0; run < 2; run += 1) {
    const { outcome } = await two.restore(archive);
    expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('by another catalog') as string]);
  }
});
