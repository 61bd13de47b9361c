/**
 * A site is lost in parts, and comes back by the commands of the page on disaster recovery. `npm run test:recovery` does it
 * with many keys, and takes the time.
 */
import { appendFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { restoredEncryptions } from '../../src/storage/adapt-restored.js';
import { Site } from './site.js';
import { commandBelow, commandsBelow } from './walk-through.js';

const { HOLDFAST_RECOVERY_KEYS: keysGiven, HOLDFAST_RECOVERY_RESULTS: resultsFile } = process.env;
const keys = Number(keysGiven ?? 6);
const timeoutMs = 120_000 + keys * 1_000;

let site: Site;
let archive: string;
let times: Record<string, number>;

beforeEach(async () => {
  times = {};
  site = await Site.make();
  await timed('fill', () => site.fill(keys));
  archive = await timed('backup', () => site.archive());
}, timeoutMs);
afterEach(() => {
  const secrets = site.wrapped.deployment.findSecrets();
  site.dispose();
  expect(secrets).toEqual([]);
});

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  try {
    return await work();
  } finally {
    times[`${what}_seconds`] = Number(((performance.now() - startMs) / 1_000).toFixed(1));
  }
}

/** For `npm run test:recovery`. */
function report(loss: string): void {
  if (resultsFile !== undefined) appendFileSync(resultsFile, `${JSON.stringify({ loss, keys, ...times })}\n`);
}

/** New tokens take the places of members, in a ceremony as on the page. */
async function replaceMembers(indexes: readonly number[]): Promise<void> {
  for (const index of indexes) site.wrapped.replaceMember(index);
  const words = commandBelow('All members are lost', 'cluster', 'add-member');
  const outcome = await site.run([...words, ...site.answers(['a', 'b', 'c', 'vault'])]);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
}

/** @param before what the lost catalog had */
async function expectRestored(before: Record<string, unknown[]>): Promise<void> {
  site.wrapped.expectAllOnAll();
  expect(site.contentOf(site.catalogPath, restoredEncryptions)).toEqual(before);
  expect(await timed('decrypt', () => site.expectDecrypted())).toEqual([]);
}

test(
  'two of three members and the catalog are lost',
  async () => {
    const before = site.contentOf(site.loseCatalog());
    await timed('ceremony', () => replaceMembers([1, 2]));
    const paths = { '/backup/newest.backup': archive };
    const [dryRun = [], restore = []] = commandsBelow('Restore').filter(([, command]) => command === 'restore');
    const dry = await timed('dry_run', () => site.run(dryRun, paths));
    expect([dry.exitCode, dryRun.at(-1)], dry.stderr).toEqual([0, '--dry-run']);
    const restored = await timed('restore', () => site.run(restore, paths));
    expect(restored.exitCode, restored.stderr).toBe(0);
    const members = [
      { member: 'a', lacking: 0 },
      { member: 'b', lacking: keys, restored: keys, missing: 0 },
      { member: 'c', lacking: keys, restored: keys, missing: 0 },
    ];
    expect(restored.printed).toMatchObject({ proved: keys, members });
    await expectRestored(before);
    report('two of three members and the catalog');
  },
  timeoutMs,
);

test(
  'everything but the recovery member, the archive and the configuration is lost',
  async () => {
    const before = site.contentOf(site.loseCatalog());
    await timed('ceremony', () => replaceMembers([0, 1, 2]));
    const words = commandBelow('All members are lost', 'backup', 'restore');
    const restored = await timed('restore', () => site.run(words, { '/backup/newest.backup': archive }));
    expect(restored.exitCode, restored.stderr).toBe(0);
    const member = { lacking: keys, restored: keys, missing: 0 };
    expect(restored.printed).toMatchObject({ proved: keys, members: [member, member, member] });
    await expectRestored(before);
    report('all members and the catalog');
  },
  timeoutMs,
);

test(
  'a drill, before anything is lost',
  async () => {
    const scratch = await site.prepareDrill();
    try {
      const before = site.wrapped.onTokens();
      const words = commandBelow('The drill', 'backup', 'drill');
      const line = [...words, '--recovery-member', 'vault=vault.pin'];
      const { exitCode, stderr, printed } = await site.run(line, { 'newest.backup': archive });
      expect(exitCode, stderr).toBe(0);
      expect(printed).toMatchObject({ samples: { given: keys, decrypted: keys }, restore: { proved: keys } });
      expect(site.wrapped.onTokens()).toEqual(before);
      times['recovery_time_seconds'] = printed['recovery_time_seconds'] as number;
      times['recovery_point_seconds'] = printed['recovery_point_seconds'] as number;
      report('nothing: a drill');
    } finally {
      scratch.hsm.dispose();
    }
  },
  timeoutMs,
);
