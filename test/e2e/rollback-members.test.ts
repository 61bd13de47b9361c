import { copyFileSync, cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import { movedBoot } from '../moved-boot.js';
import type { HoldfastClient, Message } from './client.js';
import type { RunningServer } from './deployment.js';
import { witnessesOn } from './token-witness.js';
import { WrappedDeployment } from './wrapped-deployment.js';

/** The witnesses of a cluster with two members, one of which is not what it was. */

const clock: Clock & { offsetMs: number } = {
  ...systemClock,
  offsetMs: 0,
  now: () => new Date(systemClock.now().getTime() + clock.offsetMs),
  boot: () => movedBoot(clock.offsetMs),
};

let on: WrappedDeployment;
let running: RunningServer | undefined;
let keyId: string | undefined;
beforeEach(async () => {
  clock.offsetMs = 0;
  keyId = undefined;
  on = await WrappedDeployment.make(2);
});
afterEach(async () => {
  await stop();
  on.dispose();
});

const catalogPath = () => join(on.deployment.folder, 'catalog.sqlite');

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

/** Changes the catalog, lets a minute pass, and the witnesses be written. */
async function change(client: HoldfastClient): Promise<void> {
  keyId ??= ((await client.call('CreateKey', {}))['key_metadata'] as Message)['key_id'] as string;
  await client.call('UpdateKeyDescription', { key_id: keyId, description: `at ${clock.offsetMs}` });
  clock.offsetMs += 60_000;
  await running?.server.witnesses.runNow();
}

async function epochs(): Promise<number[][]> {
  const found = on.members.map(({ hsm }) => witnessesOn(hsm, on.deployment.defaultCluster));
  return (await Promise.all(found)).map((witnesses) => witnesses.map(({ epoch }) => epoch));
}

function folderOf(index: number): string {
  return dirname(on.member(index).hsm.environment['SOFTHSM2_CONF']);
}

/** What a member's token holds, put aside or put back. */
function saveImage(index: number): void {
  cpSync(join(folderOf(index), 'tokens'), join(folderOf(index), 'image'), { recursive: true });
}

function restoreImage(index: number): void {
  rmSync(join(folderOf(index), 'tokens'), { recursive: true });
  cpSync(join(folderOf(index), 'image'), join(folderOf(index), 'tokens'), { recursive: true });
}

it.each([
  ['without a witness', []],
  ['with an older one', [1]],
])('a member %s is given the present one', async (_, before) => {
  if (before.length === 0) saveImage(1);
  await change(await serving());
  await stop();
  if (before.length > 0) saveImage(1);
  await change(await serving());
  await stop();
  restoreImage(1);
  expect(await epochs()).toEqual([[2], before]);
  await serving();
  await running?.server.witnesses.runNow();
  expect(await epochs()).toEqual([[2], [2]]);
  expect(on.deployment.logLines().map(({ msg }) => msg)).toContain('the witness on the member is written again');
});

it('a member that returns later shows that the catalog was rolled back: the process stops', async () => {
  await change(await serving());
  await stop();
  copyFileSync(catalogPath(), `${catalogPath()}.old`);
  saveImage(0);
  await change(await serving());
  await stop();
  copyFileSync(`${catalogPath()}.old`, catalogPath());
  restoreImage(0);
  on.member(1).fault.obey('C_OpenSession rv 0x30');
  const client = await serving();
  expect(await client.call('DescribeKey', { key_id: keyId })).toBeDefined();
  on.member(1).fault.heal();
  expect(await running?.server.rolledBack).toMatch(/Member b .* so it was rolled back/);
});

it('a crash between the two halves of a replacement leaves two, and the next start one', async () => {
  await change(await serving());
  on.member(0).fault.obey('C_DestroyObject rv 0x30');
  await change(running?.client() as HoldfastClient);
  expect((await epochs()).map((found) => found.sort())).toEqual([[1, 2], [2]]);
  await stop();
  on.member(0).fault.heal();
  await serving();
  await running?.server.witnesses.runNow();
  expect(await epochs()).toEqual([[2], [2]]);
});
