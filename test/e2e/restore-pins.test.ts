/** PINs in restores: each is tried once at a token, by whatever name it came, also where a rotation was open. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import { connectionState, eventually } from './deployment.js';
import { TwoClusters } from './two-clusters.js';

let two: TwoClusters;

beforeEach(async () => {
  two = await TwoClusters.make();
});
afterEach(() => two.dispose());

const wrongLogins = () => [...two.wrapped.members, ...two.members].map(({ fault }) => fault.counts('C_Login').failed);
const fileOf = (name: string, pin: string): string => {
  const path = join(two.wrapped.deployment.folder, name);
  writeFileSync(path, pin, { mode: 0o600 });
  return path;
};

function rowsOf(query: string): unknown[] {
  const database = new Database(two.catalogPath, { readonly: true });
  try {
    return database.prepare(query).all();
  } finally {
    database.close();
  }
}

const phases = () => rowsOf('select member_name, phase from pin_rotation_members order by member_name');

/** A rotation that x has had and y, which is away, has not. @returns an archive of that moment */
async function openRotation(client: HoldfastClient): Promise<string> {
  const [, y] = two.members;
  y?.fault.remove('device-error');
  await client.call('RotatePin', { custom_key_store_id: two.storeId }).catch(() => undefined);
  expect(phases()).toEqual([
    { member_name: 'x', phase: 'new' },
    { member_name: 'y', phase: 'old' },
  ]);
  return two.backUp();
}

it('a wrong PIN of the configuration is not tried again when it comes from a file, nor the other way round', async () => {
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 0);
    return two.backUp();
  });
  const right = fileOf('right.pin', two.wrapped.deployment.defaultCluster.pin);
  const wrong = fileOf('default.pin', 'wrong-1234567');
  two.loseCatalog();
  expect((await two.restore(archive)).outcome.exitCode).toBe(5);
  expect(wrongLogins()).toEqual([1, 0, 0, 0]);
  for (const name of ['default', two.wrapped.deployment.defaultCluster.clusterId]) {
    const { outcome } = await two.restore(archive, '--pin-file', `${name}=${wrong}`);
    expect([outcome.exitCode, outcome.stderr]).toEqual([
      5,
      expect.stringContaining('refused this PIN before') as string,
    ]);
  }
  const other = fileOf('other.pin', 'other-1234567');
  await two.restore(archive, '--pin-file', `default=${other}`);
  copyFileSync(other, join(two.wrapped.deployment.folder, 'default.pin'));
  await two.restore(archive, '--dry-run');
  await two.restore(archive);
  expect(wrongLogins()).toEqual([2, 0, 0, 0]);
  const { outcome } = await two.restore(archive, '--pin-file', `default=${right}`);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  // The service does not try it either.
  const server = await two.wrapped.deployment.start();
  await eventually(() => {
    const told = two.wrapped.deployment
      .logLines()
      .some((line) => JSON.stringify(line).includes('refused this PIN before'));
    return told ? Promise.resolve() : Promise.reject(new Error('nothing was logged yet'));
  });
  await server.stop();
  expect(wrongLogins()).toEqual([2, 0, 0, 0]);
});

it('an open rotation: the new PIN once, then the old one once, and the service goes on', async () => {
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 2);
    return openRotation(client);
  });
  two.members[1]?.fault.heal();
  two.loseCatalog();
  for (const index of [0, 1]) two.wrapped.emptyMember(index);
  const before = wrongLogins();
  const dry = await two.restore(archive, '--dry-run');
  expect(dry.outcome.exitCode, dry.outcome.stderr).toBe(0);
  const { outcome, printed } = await two.restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect((printed['members'] as Message[]).map(({ member, missing }) => [member, missing]).sort()).toEqual([
    ['a', 0],
    ['b', 0],
    ['x', 0],
    ['y', 0],
  ]);
  expect(phases()).toEqual([
    { member_name: 'x', phase: 'new' },
    { member_name: 'y', phase: 'old' },
  ]);
  await two.restore(archive);
  await two.serving(async (client) => {
    await connectionState(client, two.storeId, 'CONNECTED');
    await eventually(() => (phases().length === 0 ? Promise.resolve() : Promise.reject(new Error('still open'))));
    await eventually(() => two.makeKeys(client, 0, 1));
  });
  expect(wrongLogins().map((count, index) => count - (before[index] ?? 0))).toEqual([0, 0, 0, 1]);
});

it('a rotation that was completed after the backup is complete after the restore, without a wrong login', async () => {
  const archive = await two.serving(async (client, { server }) => {
    await two.makeKeys(client, 1, 2);
    const made = await openRotation(client);
    two.members[1]?.fault.heal();
    await eventually(async () => {
      await server.pinRotations.runNow();
      expect(phases()).toEqual([]);
    });
    return made;
  });
  two.loseCatalog();
  for (const index of [0, 1]) two.wrapped.emptyMember(index);
  const before = wrongLogins();
  const { outcome } = await two.restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(phases()).toEqual([]);
  await two.serving((client) => eventually(() => two.makeKeys(client, 0, 1)));
  expect(wrongLogins()).toEqual(before);
});

const rotateDefault = (client: HoldfastClient) =>
  client.call('RotatePin', { custom_key_store_id: two.wrapped.deployment.defaultCluster.clusterId, show_pin: true });
const connects = () => two.serving((client) => two.makeKeys(client, 1, 0));

it('the PIN of the default key store: an archive from after its rotation has it, one from before asks for it', async () => {
  const [before, after, pin] = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 0);
    const first = await two.backUp();
    const { generated_pin: made } = await rotateDefault(client);
    return [first, await two.backUp(), Buffer.from(made as Uint8Array).toString()] as const;
  });
  two.loseCatalog();
  const restored = await two.restore(after);
  expect(restored.outcome.exitCode, restored.outcome.stderr).toBe(0);
  // The file still has the old PIN: it is tried for the proof of the archive, before the archive's catalog is read.
  await connects();
  expect(wrongLogins()).toEqual([1, 0, 0, 0]);
  two.loseCatalog();
  expect((await two.restore(before)).outcome.exitCode).toBe(5);
  const refused = wrongLogins();
  // Once on each token at most.
  for (const [index, most] of [2, 1, 0, 0].entries()) expect(refused[index]).toBeLessThanOrEqual(most);
  const { outcome } = await two.restore(before, '--pin-file', `default=${fileOf('new.pin', pin)}`);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  fileOf('default.pin', pin);
  await connects();
  expect(wrongLogins()).toEqual(refused);
});

it('an open rotation of the default key store: the new PIN once, then the old one once, and the service goes on', async () => {
  const [, b] = two.wrapped.members;
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 0);
    b?.fault.remove('device-error');
    await rotateDefault(client).catch(() => undefined);
    return two.backUp();
  });
  expect(phases()).toEqual([
    { member_name: 'a', phase: 'new' },
    { member_name: 'b', phase: 'old' },
  ]);
  b?.fault.heal();
  two.loseCatalog();
  const before = wrongLogins();
  for (let again = 0; again < 2; again += 1) {
    const { outcome } = await two.restore(archive);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
  }
  await two.serving(() =>
    eventually(() => (phases().length === 0 ? Promise.resolve() : Promise.reject(new Error('open')))),
  );
  await connects();
  // On the first member the configured PIN, for the proof of the archive; on the other one the new PIN.
  expect(wrongLogins().map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 0, 0]);
});
