/** Every way to give a deployment back an earlier state, and what becomes of a key that was deleted since. */
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeArchive } from '../backup/make-archive.js';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import type { NativeWitness } from '../../src/hsm/native-witness.js';
import { holdfast } from '../cli/session.js';
import { movedBoot } from '../moved-boot.js';
import type { HoldfastClient, Message } from './client.js';
import type { RunningServer } from './deployment.js';
import { plantWitness, witnessesOn } from './token-witness.js';
import { WrappedDeployment } from './wrapped-deployment.js';

const dayMs = 24 * 3_600_000;
const plaintext = Buffer.from('before the rollback');

/** The machine's clocks, with time that the test lets pass; deadlines stay real. */
const clock: Clock & { offsetMs: number } = {
  ...systemClock,
  offsetMs: 0,
  now: () => new Date(systemClock.now().getTime() + clock.offsetMs),
  boot: () => movedBoot(clock.offsetMs),
};

let on: WrappedDeployment;
let running: RunningServer | undefined;
/** The key that is deleted, its ciphertext and material; and the ciphertext of one that stays. */
let deleted: { keyId: string; ciphertext: unknown; materialId: string };
let kept: unknown;
let archive: string;
/** The witnesses on each member before the deletion. */
let earlier: NativeWitness[][];

const at = (name: string): string => join(on.deployment.folder, name);
const catalogPath = (): string => at('catalog.sqlite');

async function serving(): Promise<HoldfastClient> {
  running = await on.deployment.start({ clock });
  const client = running.client();
  await running.defaultKeyStoreConnected(client);
  return client;
}

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

async function witnessed(): Promise<void> {
  clock.offsetMs += 60_000;
  await running?.server.witnesses.runNow();
}

async function makeKey(client: HoldfastClient): Promise<{ keyId: string; ciphertext: unknown }> {
  const { key_id: keyId } = (await client.call('CreateKey', {}))['key_metadata'] as Message;
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  return { keyId: keyId as string, ciphertext };
}

const tokensOf = (index: number): string => join(dirname(on.member(index).hsm.environment['SOFTHSM2_CONF']), 'tokens');

/** Two keys; the state of everything then; and afterwards one of the keys is deleted. */
beforeEach(async () => {
  clock.offsetMs = 0;
  on = await WrappedDeployment.make(2);
  const client = await serving();
  const doomed = await makeKey(client);
  const [materialId = ''] = on.onTokens()[0] ?? [];
  deleted = { ...doomed, materialId };
  kept = (await makeKey(client)).ciphertext;
  await witnessed();
  await stop();
  earlier = await Promise.all(on.members.map(({ hsm }) => witnessesOn(hsm, on.deployment.defaultCluster)));
  archive = await makeArchive(on.deployment.configurationPath, on.deployment.folder, on.deployment.defaultCluster.pin);
  copyFileSync(catalogPath(), at('old.sqlite'));
  for (const index of [0, 1]) cpSync(tokensOf(index), `${tokensOf(index)}.old`, { recursive: true });
  const later = await serving();
  await later.call('ScheduleKeyDeletion', { key_id: deleted.keyId, pending_window_in_days: 7 });
  clock.offsetMs += 8 * dayMs;
  await running?.server.keyDeletion.runNow();
  expect(on.onTokens().flat()).not.toContain(deleted.materialId);
  await witnessed();
  await stop();
});
afterEach(async () => {
  await stop();
  on.dispose();
});

function takeBackCatalog(): void {
  for (const end of ['-wal', '-shm']) rmSync(catalogPath() + end, { force: true });
  copyFileSync(at('old.sqlite'), catalogPath());
}

function takeBackMember(index: number): void {
  rmSync(tokensOf(index), { recursive: true });
  cpSync(`${tokensOf(index)}.old`, tokensOf(index), { recursive: true });
}

/** The witness that a member had before anything was deleted. */
async function takeBackWitness(index: number): Promise<void> {
  const { hsm } = on.member(index);
  const [older] = earlier[index] ?? [];
  if (older === undefined) throw new Error('The member had no witness.');
  // Nothing replaces a later one of the same incarnation: another one goes first.
  await plantWitness(hsm, on.deployment.defaultCluster, { ...older, incarnation: new Uint8Array(16).fill(9) });
  await plantWitness(hsm, on.deployment.defaultCluster, older);
}

async function restore(...words: string[]): Promise<void> {
  for (const end of ['', '-wal', '-shm'])
    if (existsSync(catalogPath() + end)) copyFileSync(catalogPath() + end, at(`newer.sqlite${end}`));
  for (const end of ['', '-wal', '-shm']) rmSync(catalogPath() + end, { force: true });
  const line = ['backup', 'restore', archive, ...words, '--config', on.deployment.configurationPath];
  const { exitCode, stderr } = await holdfast(line);
  expect(exitCode, stderr).toBe(0);
}

/** What an attack did, and how it must end. */
type End = 'refused' | 'repaired' | 'restored';
const plans: [string, End, () => Promise<void> | void][] = [
  ['the catalog', 'refused', takeBackCatalog],
  [
    'the catalog and one member',
    'refused',
    () => {
      takeBackCatalog();
      takeBackMember(0);
    },
  ],
  ['the image of one member', 'repaired', () => takeBackMember(0)],
  ['the images of all members', 'repaired', () => [0, 1].forEach((index) => takeBackMember(index))],
  ["one member's witness", 'repaired', () => takeBackWitness(0)],
  [
    "all members' witnesses",
    'repaired',
    async () => {
      await takeBackWitness(0);
      await takeBackWitness(1);
    },
  ],
  [
    'the catalog, and the witness of one member',
    'refused',
    () => {
      takeBackCatalog();
      return takeBackWitness(0);
    },
  ],
  [
    'an archive, with the tombstones of the newer catalog',
    'restored',
    () => restore('--tombstones-of', at('newer.sqlite')),
  ],
  [
    'an archive with those tombstones, and the image of one member',
    'restored',
    () => {
      takeBackMember(1);
      return restore('--tombstones-of', at('newer.sqlite'));
    },
  ],
];

it.each(plans)('%s from before the deletion: %s', async (_, end, plan) => {
  await plan();
  if (end === 'refused') {
    running = await on.deployment.start({ clock });
    expect(await running.server.rolledBack).toContain('rolled back');
    await expect(running.client().call('Decrypt', { ciphertext_blob: deleted.ciphertext })).rejects.toThrow();
    await stop();
    await expect(on.deployment.start({ clock })).rejects.toThrow('rolled back');
    return;
  }
  const client = await serving();
  await expect(client.call('Decrypt', { ciphertext_blob: deleted.ciphertext })).rejects.toThrow();
  expect((await client.call('Decrypt', { ciphertext_blob: kept }))['plaintext']).toEqual(plaintext);
  await witnessed();
  await client.call('ReconcileCluster', { cluster_id: on.deployment.defaultCluster.clusterId });
  const witnesses = await Promise.all(on.members.map(({ hsm }) => witnessesOn(hsm, on.deployment.defaultCluster)));
  expect(new Set(witnesses.map((found) => found.map(({ epoch }) => epoch).join()))).toHaveProperty('size', 1);
  // Material that is back on a token stays unusable, and is destroyed again.
  clock.offsetMs += 2 * dayMs;
  await running?.server.intentRecovery.runNow();
  expect(on.onTokens().flat()).not.toContain(deleted.materialId);
});

it('a second node with the old catalog is refused, and the first serves on', async () => {
  const client = await serving();
  const text = readFileSync(on.deployment.configurationPath, 'utf8');
  const moved = text
    .replace(catalogPath(), at('old.sqlite'))
    .replace(on.deployment.auditPath, at('second.log'))
    .replace(on.deployment.socketPath, at('second.sock'));
  writeFileSync(at('second.yaml'), moved);
  const second = await on.deployment.start({ clock }, at('second.yaml'));
  expect(await second.server.rolledBack).toContain('rolled back');
  await expect(second.client().call('Decrypt', { ciphertext_blob: deleted.ciphertext })).rejects.toThrow();
  await second.stop();
  await running?.server.witnesses.runNow();
  expect((await client.call('Decrypt', { ciphertext_blob: kept }))['plaintext']).toEqual(plaintext);
});
