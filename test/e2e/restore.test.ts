/** Loss and restore of catalogs, members and whole sites, through the command line and on real tokens. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeArchive } from '../backup/make-archive.js';
import { holdfast, type Outcome } from '../cli/session.js';
import { parse, stringify } from 'yaml';
import { TokenReader } from '../token-reader.js';
import { newMember, runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';
import type { Message } from './client.js';
import { configured, modulesOf, WrappedDeployment } from './wrapped-deployment.js';

const vaultPin = 'vault-1234567';

let wrapped: WrappedDeployment;
let vault: SoftHsmMember;

beforeEach(async () => {
  wrapped = await WrappedDeployment.make(2);
  vault = wrapped.addRecoveryMember('vault', vaultPin);
  // Generation 2 is the first that the recovery member has.
  await ceremony(2);
});
afterEach(() => {
  wrapped.dispose();
  vault.hsm.dispose();
});

/** Every token has the SO PIN that `newMember` gave it: the recovery member's is another. */
async function ceremony(generation: number): Promise<void> {
  await runCeremony([...wrapped.members, vault], generation, wrapped.deployment.defaultCluster);
}

/** A key with a ciphertext, or one for MACs with a MAC. */
interface Kept {
  keyId: string;
  blob?: Uint8Array;
  mac?: Uint8Array;
}

const plaintext = Buffer.from('made before the loss');
const macKey = { key_spec: 'KEY_SPEC_HMAC_224', key_usage: 'KEY_USAGE_GENERATE_VERIFY_MAC' };
const macRequest = { message: plaintext, mac_algorithm: 'MAC_ALGORITHM_HMAC_SHA_224' };
const tokenLabel = (): string => wrapped.deployment.defaultCluster.tokenLabel;
const catalogPath = (): string => join(wrapped.deployment.folder, 'catalog.sqlite');

/** Keys with ciphertexts, one of them disabled and with an alias; one more is deleted. */
async function fill(count: number): Promise<Kept[]> {
  const server = await wrapped.deployment.start();
  try {
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    const kept: Kept[] = [];
    for (let made = 0; made < count; made += 1) {
      const kind = made === 2 ? macKey : {};
      const { key_metadata: metadata } = await client.call('CreateKey', { description: `number ${made}`, ...kind });
      const { key_id: keyId } = metadata as Message;
      if (made === 2) {
        const { mac } = await client.call('GenerateMac', { key_id: keyId, ...macRequest });
        kept.push({ keyId: keyId as string, mac: mac as Uint8Array });
        continue;
      }
      const { ciphertext_blob: blob } = await client.call('Encrypt', { key_id: keyId, plaintext });
      kept.push({ keyId: keyId as string, blob: blob as Uint8Array });
    }
    await client.call('CreateAlias', { alias_name: 'alias/kept', target_key_id: kept[0]?.keyId });
    await client.call('DisableKey', { key_id: kept[1]?.keyId });
    return kept;
  } finally {
    await server.stop();
  }
}

/** Starts a server and opens every ciphertext. */
async function expectDecrypted(kept: readonly Kept[]): Promise<void> {
  const server = await wrapped.deployment.start();
  try {
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    await expect(client.call('Decrypt', { ciphertext_blob: kept[1]?.blob })).rejects.toMatchObject({
      reason: 'DISABLED',
    });
    await client.call('EnableKey', { key_id: kept[1]?.keyId });
    for (const { keyId, blob, mac } of kept) {
      if (mac !== undefined) await client.call('VerifyMac', { key_id: keyId, ...macRequest, mac });
      if (blob === undefined) continue;
      const { plaintext: opened } = await client.call('Decrypt', { ciphertext_blob: blob });
      expect(Buffer.from(opened as Uint8Array).equals(plaintext)).toBe(true);
    }
    const { key_metadata: named } = await client.call('DescribeKey', { key_id: 'alias/kept' });
    expect(named).toMatchObject({ key_id: kept[0]?.keyId, description: 'number 0' });
  } finally {
    await server.stop();
  }
}

const archived = (hasKeys = true): Promise<string> => {
  const { configurationPath, folder, defaultCluster } = wrapped.deployment;
  return makeArchive(configurationPath, folder, defaultCluster.pin, hasKeys);
};

async function restore(archive: string, ...words: string[]): Promise<{ outcome: Outcome; printed: Message }> {
  const line = ['backup', 'restore', archive, ...words, '--output', 'json'];
  const outcome = await holdfast([...line, '--config', wrapped.deployment.configurationPath]);
  return { outcome, printed: outcome.stdout === '' ? {} : (JSON.parse(outcome.stdout) as Message) };
}

function loseCatalog(): void {
  for (const end of ['', '-wal', '-shm'])
    if (existsSync(catalogPath() + end)) renameSync(catalogPath() + end, `${catalogPath()}.lost${end}`);
}

/** What a catalog says of its keys, aliases and counts. */
function contentOf(path: string): Record<string, unknown[]> {
  const database = new Database(path, { readonly: true });
  try {
    const read = (query: string): unknown[] => database.prepare(query).all();
    return {
      keys: read('select * from keys order by key_id'),
      aliases: read('select * from aliases order by alias_name'),
      materials: read('select * from materials order by material_id'),
      counts: read('select * from encryption_reservations order by material_id'),
    };
  } finally {
    database.close();
  }
}

test('the catalog and a member are lost: everything comes back', async () => {
  const kept = await fill(4);
  const archive = await archived();
  const before = contentOf(catalogPath());
  loseCatalog();
  wrapped.replaceMember(1);
  await ceremony(3);
  const dry = await restore(archive, '--dry-run');
  expect([dry.outcome.exitCode, dry.outcome.stderr]).toEqual([0, expect.any(String)]);
  expect(dry.printed).toMatchObject({
    proved: 4,
    members: [
      { member: 'a', lacking: 0 },
      { member: 'b', lacking: 4 },
    ],
  });
  expect(existsSync(catalogPath())).toBe(false);
  expect(wrapped.onTokens()[1]).toEqual([]);

  const { outcome, printed } = await restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(printed).toMatchObject({
    catalog: { keys: 4 },
    proved: 4,
    members: [
      { member: 'a', lacking: 0, missing: 0 },
      { member: 'b', lacking: 4, restored: 4, failed: 0, missing: 0 },
    ],
  });
  wrapped.expectAllOnAll();
  const after = contentOf(catalogPath());
  expect({ ...after, counts: [] }).toEqual({ ...before, counts: [] });
  const counted = (content: Record<string, unknown[]>) =>
    content['counts']?.map((row) => (row as { reserved_encryptions: number }).reserved_encryptions) ?? [];
  expect(counted(after)).toEqual(counted(before).map((count) => count + 2 ** 28));
  await expectDecrypted(kept);
});

test('all members are lost: the recovery member alone gives their keys back', async () => {
  const kept = await fill(3);
  const archive = await archived();
  loseCatalog();
  for (const index of [0, 1]) wrapped.replaceMember(index);
  await ceremony(3);
  const pinFile = join(wrapped.deployment.folder, 'vault.pin');
  writeFileSync(pinFile, vaultPin, { mode: 0o600 });
  const without = await restore(archive);
  expect(without.outcome.exitCode).not.toBe(0);
  expect(existsSync(catalogPath())).toBe(false);
  const { outcome, printed } = await restore(archive, '--recovery-member', `vault=${pinFile}`);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(printed).toMatchObject({
    members: [
      { restored: 3, missing: 0 },
      { restored: 3, missing: 0 },
    ],
  });
  wrapped.expectAllOnAll();
  await expectDecrypted(kept);
});

test('where the catalog is there, only keys that it has come back', async () => {
  const kept = await fill(3);
  const archive = await archived();
  const [deleted] = kept.splice(2);
  const database = new Database(catalogPath());
  database.prepare("update keys set state = 'Deleted' where key_id = ?").run(deleted?.keyId);
  database.close();
  wrapped.ageKeys();
  for (const index of [0, 1]) wrapped.emptyMember(index);
  const { outcome, printed } = await restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(printed).toMatchObject({
    catalog: null,
    members: [
      { restored: 2, missing: 0 },
      { restored: 2, missing: 0 },
    ],
  });
  expect(wrapped.onTokens().map((ids) => ids.length)).toEqual([2, 2]);
  const again = await restore(archive);
  expect(again.printed).toMatchObject({
    members: [
      { lacking: 0, restored: 0 },
      { lacking: 0, restored: 0 },
    ],
  });
  await expectDecrypted(kept);
});

test('an archive that was changed is refused, and nothing is written', async () => {
  await fill(2);
  const archive = await archived();
  loseCatalog();
  for (const index of [0, 1]) wrapped.emptyMember(index);
  const whole = readFileSync(archive);
  const changed = `${archive}.changed`;
  for (const at of [20, whole.indexOf('SQLite format 3') + 5_000, whole.indexOf('"blob":"') + 20, whole.length - 20]) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(changed, bytes);
    const { outcome } = await restore(changed);
    expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('ARCHIVE_REFUSED') as string]);
  }
  writeFileSync(changed, whole.subarray(0, -1));
  expect((await restore(changed)).outcome.stderr).toContain('reason: truncated');
  expect(existsSync(catalogPath())).toBe(false);
  expect(wrapped.onTokens()).toEqual([[], []]);
});

test('an archive that nothing authenticates gives no catalog, unless an operator says so', async () => {
  await fill(2);
  const archive = await archived(false);
  loseCatalog();
  const { outcome } = await restore(archive);
  expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('UNAUTHENTICATED') as string]);
  expect(existsSync(catalogPath())).toBe(false);
  const accepted = await restore(archive, '--unauthenticated');
  expect(accepted.printed).toMatchObject({ catalog: { keys: 2 }, proved: 0, catalog_only_clusters: ['default'] });
});

test('something else at the place of the staged catalog: refused with what to do, and left as it is', async () => {
  await fill(2);
  const archive = await archived();
  loseCatalog();
  const place = `${catalogPath()}.restoring`;
  const logins = wrapped.member(0).fault.calls('C_Login');
  for (const put of [() => mkdirSync(place), () => symlinkSync(archive, place), () => writeFileSync(place, 'mine')]) {
    put();
    for (const words of [[], ['--dry-run']]) {
      const { outcome } = await restore(archive, ...words);
      expect([outcome.exitCode, outcome.stderr]).toEqual([4, expect.stringContaining('Move it away') as string]);
    }
    expect(lstatSync(place)).toBeDefined();
    rmSync(place, { recursive: true });
  }
  expect([existsSync(catalogPath()), wrapped.member(0).fault.calls('C_Login')]).toEqual([false, logins]);
  expect((await restore(archive)).outcome.exitCode).toBe(0);
});

test('a member that is away is named, and the restore is not complete', async () => {
  await fill(2);
  const archive = await archived();
  loseCatalog();
  wrapped.emptyMember(1);
  wrapped.member(1).fault.remove('device-error');
  const { outcome, printed } = await restore(archive);
  expect(outcome.exitCode).toBe(5);
  expect(printed).toMatchObject({
    members: [
      { member: 'a', open: true },
      { member: 'b', open: false },
    ],
  });
  wrapped.member(1).fault.heal();
  wrapped.ageKeys();
  const again = await restore(archive);
  expect(again.outcome.exitCode, again.outcome.stderr).toBe(0);
  wrapped.expectAllOnAll();
});

test('a wrong PIN costs one login, however often the restore is run', async () => {
  await fill(2);
  const archive = await archived();
  loseCatalog();
  const wrong = join(wrapped.deployment.folder, 'wrong.pin');
  writeFileSync(wrong, 'wrong-1234567', { mode: 0o600 });
  const logins = () => wrapped.members.reduce((sum, { fault }) => sum + fault.calls('C_Login'), 0);
  const before = logins();
  for (let run = 0; run < 3; run += 1) {
    const { outcome } = await restore(archive, '--pin-file', `${wrapped.deployment.defaultCluster.clusterId}=${wrong}`);
    expect(outcome.exitCode).toBe(5);
  }
  expect(logins() - before).toBe(1);
  const { outcome } = await restore(archive);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
});

test('a drill restores into scratch tokens, decrypts a sample, takes the time, and leaves nothing', async () => {
  const kept = await fill(3);
  const archive = await archived();
  const scratch = newMember('scratch', wrapped.deployment.defaultCluster);
  try {
    await runCeremony([...wrapped.members, vault, scratch], 3, wrapped.deployment.defaultCluster);
    const { folder, configurationPath } = wrapped.deployment;
    const drillConfiguration = join(folder, 'drill.yaml');
    const file = parse(readFileSync(configurationPath, 'utf8')) as Message & { clusters: Message[]; modules: Message };
    Object.assign(file.modules, modulesOf([scratch]));
    Object.assign(file.clusters[0] ?? {}, { minimumMembers: 1, members: [configured(scratch, tokenLabel())] });
    file['catalog'] = { kind: 'sqlite', path: join(folder, 'drill.sqlite') };
    file['audit'] = { file: join(folder, 'drill.log') };
    writeFileSync(drillConfiguration, stringify(file, { aliasDuplicateObjects: false }));
    const pinFile = join(folder, 'vault.pin');
    writeFileSync(pinFile, vaultPin, { mode: 0o600 });
    const sample = join(folder, 'sample.jsonl');
    const blobs = kept.flatMap(({ blob }) => (blob === undefined ? [] : [Buffer.from(blob)]));
    const lines = blobs.map((blob) => JSON.stringify({ ciphertext: blob.toString('base64') }));
    writeFileSync(sample, `${lines.join('\n')}\n`);

    const drill = async (...words: string[]) => {
      const line = ['backup', 'drill', archive, '--output', 'json', '--recovery-member', `vault=${pinFile}`, ...words];
      const outcome = await holdfast([...line, '--ciphertexts', sample]);
      return { outcome, printed: outcome.stdout === '' ? {} : (JSON.parse(outcome.stdout) as Message) };
    };
    const before = wrapped.onTokens();
    const { outcome, printed } = await drill('--config', drillConfiguration);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(printed).toMatchObject({
      samples: { given: 2, decrypted: 2, failures: [] },
      kept: false,
      restore: { proved: 3, members: [{ member: 'scratch', lacking: 3, restored: 3, missing: 0 }] },
    });
    expect(printed['recovery_time_seconds']).toBeGreaterThan(0);
    expect(printed['recovery_point_seconds']).toBeGreaterThan(0);
    const onScratch = new TokenReader(scratch.hsm, tokenLabel(), wrapped.deployment.defaultCluster.pin).secretKeys();
    expect(onScratch.filter(({ CKA_ID }) => !CKA_ID.startsWith(Buffer.from('holdfast/').toString('hex')))).toEqual([]);
    expect([existsSync(join(folder, 'drill.sqlite')), wrapped.onTokens()]).toEqual([false, before]);

    const other = {
      ciphertext: Buffer.from(kept[0]?.blob ?? []).toString('base64'),
      encryption_context: { not: 'its' },
    };
    writeFileSync(sample, JSON.stringify(other));
    const failed = await drill('--config', drillConfiguration);
    expect([failed.outcome.exitCode, failed.outcome.stderr]).toEqual([
      5,
      expect.stringContaining('DRILL_FAILED') as string,
    ]);
    expect(failed.printed['samples']).toMatchObject({ given: 1, decrypted: 0, failures: [{ line: 1 }] });
    const real = await drill('--config', configurationPath);
    expect([real.outcome.exitCode, real.outcome.stderr]).toEqual([5, expect.stringContaining('NOT_SCRATCH') as string]);
    loseCatalog();
    const realTokens = await drill('--config', configurationPath);
    expect(realTokens.outcome.stderr).toContain('no catalog: member a has keys of the archive');
    expect(wrapped.onTokens()).toEqual(before);
  } finally {
    scratch.hsm.dispose();
  }
});
