/** One lost cluster keeps no other from being restored. */
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { holdfast } from '../cli/session.js';
import { TwoClusters } from './two-clusters.js';

let two: TwoClusters;

beforeEach(async () => {
  two = await TwoClusters.make();
});
afterEach(() => two.dispose());

function loseSecond(): void {
  for (const { fault } of two.members) fault.remove('device-error');
}

it('a cluster that is lost for now is left out by name, and restored later', async () => {
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 2, 3);
    return two.backUp();
  });
  two.loseCatalog();
  two.emptyMembers();
  loseSecond();
  const refused = await two.restore(archive);
  expect([refused.outcome.exitCode, refused.outcome.stderr]).toEqual([
    5,
    expect.stringContaining('--without-cluster second restores the others') as string,
  ]);
  expect(existsSync(two.catalogPath)).toBe(false);

  const without = await two.restore(archive, '--without-cluster', 'second');
  expect(without.outcome.exitCode, without.outcome.stderr).toBe(0);
  expect(without.printed).toMatchObject({
    catalog: { keys: 5 },
    proved: 2,
    left_out_clusters: [{ cluster_id: two.second.clusterId, name: 'second', key_materials: 3 }],
    members: [
      { member: 'a', restored: 2, missing: 0 },
      { member: 'b', restored: 2, missing: 0 },
    ],
  });

  for (const { fault } of two.members) fault.heal();
  two.wrapped.ageKeys();
  const later = await two.restore(archive);
  expect(later.outcome.exitCode, later.outcome.stderr).toBe(0);
  expect(later.printed).toMatchObject({ catalog: null, proved: 5, left_out_clusters: [] });
  expect(two.onSecond().map((ids) => ids.length)).toEqual([3, 3]);
  await two.serving((client) => two.makeKeys(client, 1, 1));
});

it('says to people what stays behind, and refuses a name that the archive does not have', async () => {
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 2);
    return two.backUp();
  });
  const slip = await two.restore(archive, '--without-cluster', 'secnod');
  expect([slip.outcome.exitCode, slip.outcome.stderr]).toEqual([
    2,
    expect.stringContaining('the archive has no cluster secnod') as string,
  ]);
  two.loseCatalog();
  const line = ['backup', 'restore', archive, '--without-cluster', two.second.clusterId];
  const outcome = await holdfast([...line, '--config', two.wrapped.deployment.configurationPath]);
  expect(outcome.stdout).toContain(
    `cluster second was left out: its 2 keys were neither proved nor restored; when it is back: holdfast backup restore ${archive}`,
  );
});

it('an archive of which every cluster is left out is proved by none', async () => {
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 1);
    return two.backUp();
  });
  two.loseCatalog();
  const { outcome } = await two.restore(archive, '--without-cluster', 'second', '--without-cluster', 'default');
  expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('UNAUTHENTICATED') as string]);
  expect(existsSync(two.catalogPath)).toBe(false);
});

it('a cluster without keys in the archive is not needed', async () => {
  const archive = await two.serving(async (client) => {
    await two.makeKeys(client, 2, 0);
    return two.backUp();
  });
  two.loseCatalog();
  loseSecond();
  const { outcome, printed } = await two.restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(outcome.stderr).toContain('opening a cluster without keys in the archive');
  expect(printed).toMatchObject({ proved: 2, left_out_clusters: [], catalog: { keys: 2 } });
});
