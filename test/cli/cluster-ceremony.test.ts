/** `holdfast cluster init`, `status`, `add-member`, `rotate-wrapping-key` on real tokens. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { useCatalog } from '../../src/storage/catalog-use.js';
import { openTestCatalog } from '../catalog-file.js';
import { intentFor, keyRecord, materialOf } from '../contract/catalog-records.js';
import { holdfast } from './session.js';
import { CeremonyCluster, clusterId, officerPin, userPin } from './ceremony-cluster.js';

// A ceremony makes an RSA key of 3,072 bits on each member.
vi.setConfig({ testTimeout: 300_000 });

let cluster: CeremonyCluster;
beforeEach(() => {
  cluster = new CeremonyCluster(['a', 'b', 'c']);
});
afterEach(() => cluster.dispose());

const records = () => readdirSync(cluster.folder).filter((name) => /generation-\d+-.*\.json$/.test(name));

async function status(): Promise<{ exitCode: number; generations: number[][]; inUse: unknown }> {
  const { outcome, printed } = await cluster.json('status');
  const members = printed['members'] as { generations: { number: number }[] }[];
  const generations = members.map((member) => member.generations.map(({ number }) => number));
  return { exitCode: outcome.exitCode, generations, inUse: printed['generation_in_use'] };
}

describe('holdfast cluster init', () => {
  test('gives three members the same generation, and records it', async () => {
    expect(await status()).toEqual({ exitCode: 5, generations: [[], [], []], inUse: null });
    const { outcome, printed } = await cluster.json('init', cluster.answers());
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(printed).toMatchObject({ generation: 1, attested: false, successful_attacks: 0 });
    expect(await status()).toEqual({ exitCode: 0, generations: [[1], [1], [1]], inUse: 1 });
    const record = cluster.record(printed['record'] as string);
    expect(record).toMatchObject({ purpose: 'init', cluster: { id: clusterId, name: 'payments' }, generation: 1 });
    expect(record.members.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    for (const member of record.members)
      expect(member).toMatchObject({ model: 'SoftHSM v2', profile: 'softhsm', attestation: 'unattested' });
    expect(new Set(record.members.map(({ carry_key_fingerprint: fingerprint }) => fingerprint)).size).toBe(3);
    const attackers = record.trust_checks.map(({ member, attacker }) => `${member} ${attacker}`);
    expect(attackers).toEqual(['a user', 'a nobody', 'b user', 'b nobody', 'c user', 'c nobody']);
    for (const { attacks, skipped } of record.trust_checks) {
      expect(skipped).toBe(false);
      expect(attacks.length).toBeGreaterThan(0);
      expect(attacks.filter(({ held }) => !held)).toEqual([]);
    }
    expect(cluster.auditedActs()).toMatchObject([
      { operation: 'MakeClusterKeys', outcome: 'started', parameters: { purpose: 'init', cluster_id: clusterId } },
      { operation: 'MakeClusterKeys', outcome: 'success' },
    ]);
  });

  test('asks on the terminal for PINs without echo, and for the comparison', async () => {
    const typed = [...['a', 'b', 'c'].map(officerPin), 'yes', ''].join('\n');
    const { exitCode, stdout, stderr } = await cluster.run('init', [], { stdin: typed, tty: true });
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toMatch(/SO PIN of member a \(token token-a, [0-9a-f]{16}\): /);
    expect(stderr.match(/ {2}member [abc], [0-9a-f]{16}: ([0-9a-f]{4} ?){16}\n/g)).toHaveLength(3);
    expect(stdout).toMatch(/It is signed by a key made for it\. Note its fingerprint on paper: ([0-9a-f]{4} ?){16}\n/);
    expect(stdout).not.toContain('Unattested');
    for (const pin of [...['a', 'b', 'c'].map(officerPin), userPin]) expect(stdout + stderr).not.toContain(pin);
    const [name = ''] = records();
    expect(cluster.record(join(cluster.folder, name)).members[0]).toMatchObject({
      attestation: 'compared-by-operator',
    });
    expect((await holdfast(['cluster', 'verify-record', join(cluster.folder, name)])).exitCode).toBe(0);
  });

  test('carries nothing if the operator does not confirm the fingerprints', async () => {
    const options = cluster.answers().filter((word) => word !== '--unattested');
    const { exitCode, stderr } = await cluster.run('init', options, { stdin: 'y\n', tty: true });
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('error: FINGERPRINT: the fingerprints were not')]);
    expect((await status()).generations).toEqual([[], [], []]);
    expect(records()).toEqual([]);
    expect(cluster.auditedActs().at(-1)).toMatchObject({ outcome: 'failed' });
  });

  test.each([
    ['the right ones', (fingerprint: string) => fingerprint.match(/../g)?.join(':') ?? '', 0],
    ['a wrong one', (fingerprint: string) => `00${fingerprint.slice(2)}`, 5],
  ])('compares with %s in a file, which another program writes meanwhile', async (_, seen, exitCode) => {
    const [pipe, values] = [join(cluster.folder, 'seen'), join(cluster.folder, 'values')];
    execFileSync('mkfifo', [pipe]);
    const onStderr = (text: string): void => {
      const shown = JSON.parse(text) as {
        step?: string;
        members: { member: string; serial_number: string; fingerprint: string }[];
      };
      if (shown.step !== 'fingerprints') return;
      const [a, ...others] = shown.members;
      const lines = [
        `# by serial number\n${a?.serial_number} ${seen(a?.fingerprint ?? '')}`,
        ...others.map(({ member, fingerprint }) => `${member}  ${fingerprint}`),
      ];
      writeFileSync(values, lines.join('\n\n'));
      execFile('sh', ['-c', 'cat "$0" > "$1"', values, pipe]);
    };
    const options = [...cluster.answers().slice(1), '--fingerprints', pipe, '--output', 'json'];
    const outcome = await cluster.run('init', options, { onStderr });
    expect(outcome.exitCode, outcome.stderr).toBe(exitCode);
    const isRight = exitCode === 0;
    expect((await status()).generations).toEqual(isRight ? [[1], [1], [1]] : [[], [], []]);
    if (isRight) expect(JSON.parse(outcome.stdout)).toMatchObject({ attested: true });
    else
      expect(outcome.stderr.trim().split('\n').at(-1)).toMatch(
        /^{"error":{"code":"FINGERPRINT","message":"member a shows /,
      );
  });

  test('a PIN that a token refuses is tried once, and ends the ceremony', async () => {
    const fault = cluster.putFaultsBefore('b');
    cluster.write('b.so', 'a wrong one');
    const { exitCode, stderr } = await cluster.run('init', cluster.answers());
    expect(exitCode).toBe(5);
    expect(stderr).toContain('error: PIN_REFUSED: member b: C_Login: CKR_PIN_INCORRECT (0xa0)');
    expect(stderr).toContain('hint: the token has counted a wrong SO PIN; it was tried once');
    expect(fault.counts('C_Login').entered).toBe(1);
    expect((await status()).generations).toEqual([[], [], []]);
  });

  test('can be run again when it is complete, and records it once more', async () => {
    const first = await cluster.json('init', cluster.answers());
    expect(first.outcome.exitCode).toBe(0);
    const again = await cluster.json('init', [...cluster.answers(), '--record', 'again.json']);
    expect(again.outcome.exitCode, again.outcome.stderr).toBe(0);
    expect(again.printed['digest']).toBe(first.printed['digest']);
    expect(cluster.record(join(cluster.folder, 'again.json')).members[0]?.carry_key_fingerprint).toBeNull();
    expect(await cluster.run('init', [...cluster.answers(), '--record', 'again.json'])).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('no record replaces a file') as string,
    });
  });

  test('refuses a host that serves', async () => {
    const path = join(cluster.folder, 'catalog.sqlite');
    const catalog = await openTestCatalog({ path, clock: systemClock });
    try {
      const { exitCode, stderr } = await cluster.run('init', cluster.answers());
      expect(exitCode).toBe(5);
      expect(stderr).toContain('error: SERVING_HOST: this host serves keys');
      expect(stderr).toContain('--beside-service');
      expect((await cluster.run('init', [...cluster.answers(), '--beside-service'])).exitCode).toBe(0);
    } finally {
      await catalog.close();
    }
    expect((await cluster.run('init', cluster.answers())).exitCode).toBe(0);
    useCatalog(path, 0).release();
  });

  test.each([
    ['a cluster without replication', { replication: 'none', minimumMembers: 1 }, ['a'], 'error: NOT_WRAPPED: '],
    ['another name', { name: 'other' }, undefined, 'error: NOT_FOUND: '],
  ])('refuses %s', async (_, changes, members, said) => {
    cluster.configure(changes, members);
    expect(await cluster.run('init', cluster.answers(members))).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(said) as string,
    });
  });

  test('refuses an HSM whose profile has no such ceremony, and says where that is from', async () => {
    const { libraryPath: path, environment } = cluster.hsm('a');
    cluster.configure({}, undefined, { a: { path, environment, profile: 'generic' } });
    const { exitCode, stderr } = await cluster.run('init', cluster.answers());
    expect(exitCode).toBe(5);
    expect(stderr).toContain('error: CEREMONY: member a: ');
    expect(stderr).toContain('profile generic (');
    expect(stderr).toContain('ceremony unsupported: not examined');
  });

  test('refuses two members that are one token, and a member without a token', async () => {
    const { printed } = await cluster.json('status');
    const [{ serial_number: tokenSerialNumber } = {}] = printed['members'] as { serial_number?: string }[];
    const byLabel = { name: 'a', module: 'a', tokenLabel: 'token-a' };
    cluster.configure({ members: [byLabel, { name: 'b', module: 'a', tokenSerialNumber }] });
    const twice = await cluster.run('init', cluster.answers(['a', 'b']));
    expect([twice.exitCode, twice.stderr]).toEqual([5, expect.stringContaining('error: ONE_TOKEN: members a and b')]);
    cluster.configure({ members: [{ name: 'a', module: 'a', tokenLabel: 'nothing' }] });
    const none = await cluster.run('init', cluster.answers(['a']));
    expect([none.exitCode, none.stderr]).toEqual([5, expect.stringContaining('error: TOKEN_MISSING: member a: ')]);
  });
});

describe('the attacks after a ceremony', () => {
  test('one that a token does not withstand ends the command, and is in the record', async () => {
    cluster.putFaultsBefore('b').obey('C_CopyObject rv 0x30');
    const { exitCode, stdout, stderr } = await cluster.run('init', [...cluster.answers(), '--record', 'record.json']);
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/error: TRUST: \d+ attacks succeeded: generation 1 must not be used/);
    expect(stderr).toMatch(/ {2}b, as user: [a-z-]*copy[a-z-]*: /);
    expect(stderr).not.toMatch(/ {2}[ac], as user: /);
    expect(stdout).toContain('The record is ');
    const verified = await holdfast(['cluster', 'verify-record', join(cluster.folder, 'record.json')]);
    expect([verified.exitCode, verified.stderr]).toEqual([5, expect.stringContaining('must not be used')]);
  });

  test('a user PIN that a token refuses is tried once', async () => {
    const fault = cluster.putFaultsBefore('a');
    const wrong = cluster.write('wrong.pin', 'another-pin');
    const { exitCode, stderr } = await cluster.run('init', [...cluster.answers(), '--user-pin-file', `a=${wrong}`]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain('error: PIN_REFUSED: member a: C_Login: CKR_PIN_INCORRECT (0xa0)');
    expect(stderr).toContain('a wrong user PIN');
    // The officer's login, and this one.
    expect(fault.counts('C_Login')).toMatchObject({ entered: 2, failed: 1 });
    expect(records()).toEqual([]);
  });

  test('a user PIN with one attempt left is not tried', async () => {
    const fault = cluster.putFaultsBefore('a');
    fault.set('tokenFlags', 0x2_0000);
    const { exitCode, stderr } = await cluster.run('init', cluster.answers());
    expect([exitCode, stderr]).toEqual([
      5,
      expect.stringContaining('error: LOGIN: member a: its user PIN is locked or'),
    ]);
    expect(fault.counts('C_Login').entered).toBe(1);
  });

  test('the record says that those as user were left out', async () => {
    const { outcome, printed } = await cluster.json('init', [...cluster.answers(), '--skip-user-check']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const checks = cluster.record(printed['record'] as string).trust_checks;
    expect(checks.filter(({ skipped }) => skipped).map(({ member, attacker }) => `${member} ${attacker}`)).toEqual([
      'a user',
      'b user',
      'c user',
    ]);
  });
});

describe('holdfast cluster remove-member', () => {
  test('gives the others a generation that the removed one lacks, and lists what is left to do', async () => {
    expect((await cluster.run('init', cluster.answers())).exitCode).toBe(0);
    await addKey();
    // A run that was broken off before it made anything; the generation of that number was then made on all members.
    const noted = { purpose: 'remove-member', clusterId, without: 'c', generations: [1] };
    cluster.write('payments-ceremony.unrecorded', JSON.stringify(noted));
    const words = ['c', ...cluster.answers(['a', 'b'])];
    const { exitCode, stdout, stderr } = await cluster.run('remove-member', words);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('Take c out of clusters[].members');
    expect(stdout).toContain('Change the user PIN of the other members');
    expect(stdout).toContain('Replace these 1 keys');
    expect(stdout).toMatch(/ {3}arn:aws:kms:eu-central-1:111122223333:key\/[0-9a-f-]{36}: material [0-9a-f]{64}\n/);
    expect((await status()).generations).toEqual([[1, 2], [1, 2], [1]]);
    const name = records().find((file) => file.includes('generation-2')) ?? '';
    expect(cluster.record(join(cluster.folder, name))).toMatchObject({ purpose: 'remove-member', removed_member: 'c' });
  });

  test('proves that a token is empty, and that it is not', async () => {
    expect((await cluster.run('init', cluster.answers())).exitCode).toBe(0);
    const full = await cluster.run('remove-member', ['c', '--emptied']);
    expect([full.exitCode, full.stderr]).toEqual([
      5,
      expect.stringMatching(/^error: NOT_EMPTY: member c has \d+ objects\n {2}holdfast\//),
    ]);
    cluster.addMember('c');
    cluster.configure();
    const { exitCode, stdout, stderr } = await cluster.run('remove-member', ['c', '--emptied']);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('Member c is empty');
  });

  test('refuses the last member, and one that is not there', async () => {
    cluster.configure({}, ['a']);
    expect(await cluster.run('remove-member', ['a', ...cluster.answers([])])).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('error: LAST_MEMBER: a is the only member') as string,
    });
    expect((await cluster.run('remove-member', ['x', '--emptied'])).exitCode).toBe(2);
  });
});

describe('a wrong command line is refused before anything is done', () => {
  test.each<[string, (cluster: CeremonyCluster) => string[], string]>([
    ['no PIN and no terminal', () => ['--unattested'], 'the SO PIN of member a is needed'],
    ['no comparison and no terminal', (of) => of.answers().slice(1), 'the fingerprints must be compared'],
    ['two comparisons', (of) => [...of.answers(), '--fingerprints', 'x'], 'exclude each other'],
    ['a PIN of another member', (of) => [...of.answers(), '--so-pin-file', 'd=x'], 'has no member d'],
    ['two PINs of one member', (of) => [...of.answers(), '--so-pin-command', 'a=echo 1'], 'member a has both'],
    ['a member twice', (of) => [...of.answers(), '--so-pin-file', 'a=x'], 'Member a is named twice'],
    ['no member', (of) => [...of.answers(), '--so-pin-file', 'x'], 'Must be MEMBER=VALUE'],
  ])('%s', async (_, options, said) => {
    const { exitCode, stderr } = await cluster.run('init', options(cluster));
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(said)]);
    expect(existsSync(join(cluster.folder, 'audit.log'))).toBe(false);
  });

  test.each<[string, (cluster: CeremonyCluster) => string[], string]>([
    ['a PIN file that others can read', (of) => openPin(of), 'a.so'],
    ['a missing signing key', (of) => [...of.answers(), '--signing-key', join(of.folder, 'none.pem')], 'none.pem'],
    ['a folder that is not there', (of) => [...of.answers(), '--record', 'none/record.json'], 'none'],
    ['a command that fails', (of) => commandFails(of), 'failed with exit code 3'],
  ])('%s', async (_, options, said) => {
    const { exitCode, stderr } = await cluster.run('init', options(cluster));
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(said)]);
    expect((await status()).generations).toEqual([[], [], []]);
  });
});

describe('the next generation', () => {
  test('add-member gives a new member and all others a new one', async () => {
    expect((await cluster.run('init', cluster.answers())).exitCode).toBe(0);
    cluster.addMember('d');
    cluster.configure();
    expect(await status()).toEqual({ exitCode: 5, generations: [[1], [1], [1], []], inUse: 1 });
    const { outcome, printed } = await cluster.json('add-member', cluster.answers());
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(printed).toMatchObject({ generation: 2 });
    expect(await status()).toEqual({ exitCode: 0, generations: [[1, 2], [1, 2], [1, 2], [2]], inUse: 2 });
    expect(cluster.record(printed['record'] as string)).toMatchObject({ purpose: 'add-member', generation: 2 });
  });

  test('rotate-wrapping-key makes another one, and init no longer runs', async () => {
    const pins = ['a', 'b', 'c'].flatMap((name) => [
      '--so-pin-command',
      `${name}=cat ${join(cluster.folder, name)}.so`,
    ]);
    expect((await cluster.run('rotate-wrapping-key', cluster.answers())).stderr).toContain('has no generation yet');
    expect((await cluster.run('init', ['--unattested', ...pins])).exitCode).toBe(0);
    expect((await cluster.run('rotate-wrapping-key', ['--unattested', ...pins])).exitCode).toBe(0);
    expect(await status()).toEqual({
      exitCode: 0,
      generations: [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      inUse: 2,
    });
    expect((await cluster.run('init', cluster.answers())).stderr).toContain('the cluster has generation 2 already');
  });

  test('status says that a member cannot be read, and shows the others', async () => {
    expect((await cluster.run('init', cluster.answers())).exitCode).toBe(0);
    cluster.configure({}, undefined, {
      b: { path: cluster.hsm('b').libraryPath, environment: { SOFTHSM2_CONF: '/none' } },
    });
    const { exitCode, stdout, stderr } = await cluster.run('status');
    expect([exitCode, stderr]).toEqual([
      5,
      expect.stringContaining('error: UNREADABLE: not all members can be read: b'),
    ]);
    expect(stdout).toMatch(
      /^cluster payments .*: generation 1 is in use\nmember a: .*\n {2}generation 1 {2}[0-9a-f]{64}\nmember b: /,
    );
  });
});

/** A key in the catalog, on this cluster. */
async function addKey(): Promise<void> {
  const catalog = await openTestCatalog({ path: join(cluster.folder, 'catalog.sqlite'), clock: systemClock });
  try {
    const key = keyRecord({ clusterId });
    await catalog.openIntent(intentFor(key));
    expect(await catalog.commitKey(key, materialOf(key))).toBe(true);
  } finally {
    await catalog.close();
  }
}

function openPin(of: CeremonyCluster): string[] {
  writeFileSync(join(of.folder, 'a.so'), readFileSync(join(of.folder, 'a.so')), { mode: 0o644 });
  execFileSync('chmod', ['644', join(of.folder, 'a.so')]);
  return of.answers();
}

function commandFails(of: CeremonyCluster): string[] {
  return ['--so-pin-command', 'c=exit 3', ...of.answers(['a', 'b'])];
}
