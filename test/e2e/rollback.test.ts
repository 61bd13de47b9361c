import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import type { CompositionOverrides } from '../../src/composition/foundation.js';
import { holdfast } from '../cli/session.js';
import { movedBoot } from '../moved-boot.js';
import { TokenReader } from '../token-reader.js';
import type { HoldfastClient, Message } from './client.js';
import { Deployment, type RunningServer } from './deployment.js';
import { plantWitness, witnessesOn } from './token-witness.js';

const dayMs = 24 * 3_600_000;
const plaintext = Buffer.from('before the rollback');

/** The machine's clocks, with time that the test lets pass; deadlines stay real. */
const clock: Clock & { offsetMs: number } = {
  ...systemClock,
  offsetMs: 0,
  now: () => new Date(systemClock.now().getTime() + clock.offsetMs),
  boot: () => movedBoot(clock.offsetMs),
};

let deployment: Deployment;
let running: RunningServer | undefined;
beforeEach(() => {
  clock.offsetMs = 0;
  deployment = new Deployment({ customClusters: [], faulty: ['default'] });
});
afterEach(async () => {
  await stop();
  deployment.dispose();
});

const catalogPath = () => join(deployment.folder, 'catalog.sqlite');
const copyPath = () => join(deployment.folder, 'copy.sqlite');
const token = () => witnessesOn(deployment.softHsm, deployment.defaultCluster);

const doctor = () => holdfast(['doctor', '--config', deployment.configurationPath]);

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

async function start(overrides: CompositionOverrides = {}): Promise<RunningServer> {
  running = await deployment.start({ clock, ...overrides });
  return running;
}

async function serving(overrides: CompositionOverrides = {}): Promise<HoldfastClient> {
  const server = await start(overrides);
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  return client;
}

async function makeKey(client: HoldfastClient): Promise<{ keyId: string; ciphertext: unknown }> {
  const { key_id: keyId } = (await client.call('CreateKey', {}))['key_metadata'] as Message;
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  return { keyId: keyId as string, ciphertext };
}

/** Lets a minute pass and the witnesses be written. */
async function witnessed(): Promise<void> {
  clock.offsetMs += 60_000;
  await running?.server.witnesses.runNow();
}

/** A catalog with one key; its copy, made when the server was stopped; and then another key in the catalog. */
async function catalogAndOlderCopy() {
  const first = await makeKey(await serving());
  await witnessed();
  await stop();
  copyFileSync(catalogPath(), copyPath());
  const second = await makeKey(await serving());
  await witnessed();
  await stop();
  return { first, second };
}

const swapCatalogs = () => {
  const [present, copy] = [readFileSync(catalogPath()), readFileSync(copyPath())];
  writeFileSync(catalogPath(), copy);
  writeFileSync(copyPath(), present);
};

it('a witness follows each change within a minute, and nothing else', async () => {
  const client = await serving();
  await witnessed();
  expect(await token()).toEqual([]);
  await makeKey(client);
  await witnessed();
  const [first, ...others] = await token();
  expect(first).toMatchObject({ epoch: 1, deployment: 'aws:eu-central-1:111122223333' });
  expect(others).toEqual([]);
  await witnessed();
  expect(await token()).toEqual([first]);
});

it('operators see the witness of each member, and that it cannot be written', async () => {
  const client = await serving();
  const { keyId } = await makeKey(client);
  const witness = async () => {
    const { clusters } = await client.call('DescribeClusters', {});
    const [cluster] = clusters as { members: Message[] }[];
    return cluster?.members[0]?.['witness'] as Message | null | undefined;
  };
  await witnessed();
  expect(await witness()).toMatchObject({ epoch: '1', failing: false });
  deployment.fault('default').obey('C_CreateObject rv 0x31');
  await client.call('UpdateKeyDescription', { key_id: keyId, description: 'changed' });
  await witnessed();
  expect(await witness()).toMatchObject({ epoch: '1', failing: true });
  const { concerns } = await client.call('GetStatus', {});
  expect(JSON.stringify(concerns)).toContain('The witness of the catalog cannot be written on it');
  expect((await doctor()).stdout).toMatch(/its witness has epoch 1 of 2/);
  deployment.fault('default').heal();
  await running?.server.witnesses.runNow();
  expect(await witness()).toMatchObject({ epoch: '2', failing: false });
  expect((await doctor()).stdout).toMatch(/its witness has epoch 2 of 2/);
});

it('an older copy of the catalog is refused, in this start and the next ones, until it is accepted once', async () => {
  const { first, second } = await catalogAndOlderCopy();
  swapCatalogs();
  const server = await start();
  expect(await server.server.rolledBack).toMatch(
    /has epoch 2, which began .* and the catalog has 1 or another one of that number, so it was rolled back.*--accept-rollback/,
  );
  await expect(server.client().call('Decrypt', { ciphertext_blob: first.ciphertext })).rejects.toThrow();
  await stop();
  await expect(deployment.start({ clock })).rejects.toThrow('rolled back');
  expect((await doctor()).stdout).toContain('so it was rolled back');

  const client = await serving({ acceptsRollback: true });
  expect((await client.call('Decrypt', { ciphertext_blob: first.ciphertext }))['plaintext']).toEqual(plaintext);
  await expect(client.call('DescribeKey', { key_id: second.keyId })).rejects.toMatchObject({ reason: 'NOT_FOUND' });
  const accepted = deployment.auditRecords().filter(({ operation }) => operation === 'AcceptRollback');
  expect(accepted.map(({ outcome }) => outcome)).toEqual(['started', 'success']);
  await witnessed();
  await stop();

  expect((await (await serving()).call('Decrypt', { ciphertext_blob: first.ciphertext }))['plaintext']).toEqual(
    plaintext,
  );
  await stop();
  // The newer one is another catalog now.
  swapCatalogs();
  expect(await (await start()).server.rolledBack).toContain('by another catalog');
});

it('`holdfast serve` ends with 4 and says what to do, at once the next time, and goes on if told to', async () => {
  await catalogAndOlderCopy();
  swapCatalogs();
  const server = await deployment.spawn();
  const [code] = (await once(server.child, 'exit')) as [number];
  expect(code).toBe(4);
  const printed = readFileSync(deployment.logPath, 'utf8');
  expect(printed).toContain('"msg":"ALERT: the catalog was rolled back"');
  expect(printed).toMatch(/error: CATALOG_ROLLED_BACK: .*--accept-rollback/);
  const again = await holdfast(['serve', '--config', deployment.configurationPath]);
  expect(again).toMatchObject({
    exitCode: 4,
    stderr: expect.stringMatching(/CANNOT_START: .*was rolled back/) as string,
  });
});

it('a key that was deleted does not come back with an older catalog', async () => {
  const { keyId, ciphertext } = await makeKey(await serving());
  await witnessed();
  await stop();
  copyFileSync(catalogPath(), copyPath());
  const client = await serving();
  await client.call('ScheduleKeyDeletion', { key_id: keyId, pending_window_in_days: 7 });
  clock.offsetMs += 8 * dayMs;
  await running?.server.keyDeletion.runNow();
  const reader = new TokenReader(deployment.softHsm, 'default', deployment.defaultCluster.pin);
  expect(reader.secretKeys()).toEqual([]);
  // The destruction has written it: no round has.
  expect((await token()).map(({ epoch }) => epoch)).toEqual([2]);
  await stop();
  swapCatalogs();
  const server = await start();
  expect(await server.server.rolledBack).toContain('rolled back');
  await expect(server.client().call('Decrypt', { ciphertext_blob: ciphertext })).rejects.toThrow();
});

it('nothing is destroyed while no member can be given a witness', async () => {
  const client = await serving();
  const { keyId } = await makeKey(client);
  await client.call('ScheduleKeyDeletion', { key_id: keyId, pending_window_in_days: 7 });
  clock.offsetMs += 8 * dayMs;
  deployment.fault('default').obey('C_CreateObject rv 0x31');
  await running?.server.keyDeletion.runNow();
  const reader = new TokenReader(deployment.softHsm, 'default', deployment.defaultCluster.pin);
  expect(reader.secretKeys()).toHaveLength(1);
  expect(readFileSync(deployment.logPath, 'utf8')).toContain('could be given a witness of the catalog');
  deployment.fault('default').heal();
  await running?.server.keyDeletion.runNow();
  expect(reader.secretKeys()).toEqual([]);
});

it('a second node with an older catalog is refused, and the first goes on', async () => {
  const { first } = await catalogAndOlderCopy();
  const client = await serving();
  const path = join(deployment.folder, 'second.yaml');
  const text = readFileSync(deployment.configurationPath, 'utf8');
  const [socket, audit] = [join(deployment.folder, 'second.sock'), join(deployment.folder, 'second.log')];
  const changed = text.replace(catalogPath(), copyPath()).replace(deployment.auditPath, audit);
  writeFileSync(path, changed.replace(deployment.socketPath, socket));
  const second = await deployment.start({ clock }, path);
  expect(await second.server.rolledBack).toContain('rolled back');
  await second.stop();
  await running?.server.witnesses.runNow();
  expect((await client.call('Decrypt', { ciphertext_blob: first.ciphertext }))['plaintext']).toEqual(plaintext);
});

it('a forged witness stops the service, and an operator gets out', async () => {
  const { first } = await catalogAndOlderCopy();
  const [present] = await token();
  if (present === undefined) throw new Error('There is no witness.');
  await plantWitness(deployment.softHsm, deployment.defaultCluster, { ...present, epoch: 2 ** 48 });
  expect(await (await start()).server.rolledBack).toContain(`epoch ${2 ** 48}`);
  await stop();
  await serving({ acceptsRollback: true });
  await witnessed();
  expect((await token()).map(({ epoch }) => epoch)).toEqual([4]);
  await stop();
  const client = await serving();
  expect((await client.call('Decrypt', { ciphertext_blob: first.ciphertext }))['plaintext']).toEqual(plaintext);
});

it('a running service stops when another catalog has used its HSM', async () => {
  const { keyId } = await makeKey(await serving());
  await witnessed();
  const foreign = { incarnation: new Uint8Array(16).fill(9), epoch: 1, writtenMs: 1, deployment: 'elsewhere' };
  await plantWitness(deployment.softHsm, deployment.defaultCluster, foreign);
  // A change that writes to no token: SoftHSM overlooks what others wrote just before it writes itself.
  await running?.client().call('UpdateKeyDescription', { key_id: keyId, description: 'changed' });
  await witnessed();
  expect(await running?.server.rolledBack).toContain('by another catalog (0909');
  // The witness stays: it shows the next start the same.
  expect(await token()).toEqual([foreign]);
});
