/** Ceremonies whose keys the user makes: on tokens that do not enforce trust, and for an officer to mark. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createKryopticHsm, findKryopticLibrary } from '../kryoptic-hsm.js';
import { createNssHsm, findNssLibrary } from '../nss-hsm.js';
import { CeremonyCluster, userPin } from './ceremony-cluster.js';
import { holdfast, type Outcome } from './session.js';

// A ceremony makes an RSA key of 3,072 bits on each member.
vi.setConfig({ testTimeout: 300_000 });

let cluster: CeremonyCluster;
afterEach(() => cluster.dispose());

const nssLibrary = findNssLibrary();
const kryopticLibrary = findKryopticLibrary();

const others = [
  ...(nssLibrary === undefined ? [] : [() => createNssHsm(nssLibrary, userPin)]),
  ...(kryopticLibrary === undefined ? [] : [() => createKryopticHsm(kryopticLibrary, 'token-kryoptic', userPin)]),
];

describe.skipIf(nssLibrary === undefined)('tokens that do not enforce trust', () => {
  test('are refused, accepted by name, and named from then on', async () => {
    cluster = new CeremonyCluster(['a']);
    const members = ['a', 'b', 'c'].slice(0, 1 + others.length);
    for (const [index, make] of others.entries()) cluster.addOther(members[index + 1] ?? '', make());
    cluster.configure({}, members);
    expect(await cluster.run('init', cluster.answers(['a']))).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('error: CEREMONY: member b: its token cannot have wrapping keys') as string,
    });

    cluster.configure({ trust: 'unenforced' }, members);
    const { outcome, printed } = await cluster.json('init', cluster.answers(['a']));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(printed).toMatchObject({ generation: 1, trust: 'unenforced' });
    const record = cluster.record(printed['record'] as string);
    expect(record).toMatchObject({ ceremony: 'so-made, user-made', cluster: { trust: 'unenforced' } });
    const fell = record.trust_checks.filter(({ attacks }) => attacks.some(({ held }) => !held));
    expect([...new Set(fell.map(({ member }) => member))]).toEqual(members.slice(1));
    const verified = await holdfast(['cluster', 'verify-record', printed['record'] as string]);
    expect([verified.exitCode, verified.stdout]).toEqual([0, expect.stringContaining('trust unenforced')]);
    const status = await cluster.json('status');
    expect([status.outcome.exitCode, status.printed['trust']]).toEqual([0, 'unenforced']);
    expect((await cluster.run('status')).stdout).toContain('generation 1 is in use, trust: unenforced');

    // Not even for the one member that would enforce it.
    cluster.configure({ trust: 'enforced' }, ['a']);
    for (const command of ['init', 'rotate-wrapping-key', 'status'])
      expect(await cluster.run(command, command === 'status' ? [] : cluster.answers(['a']))).toMatchObject({
        exitCode: 5,
        stderr: expect.stringContaining('error: TRUST_CHANGED: ') as string,
      });
  });
});

/**
 * What an officer does at the HSM's console. SoftHSM has no such command, so this changes its files: CKA_TRUSTED (0x86)
 * of every key becomes true, and the number that tells open sessions to read the file again grows.
 */
function markAsTrusted(member: string): void {
  const tokens = join(cluster.hsm(member).directory, 'tokens');
  const isUntrusted = Buffer.from('0000000000000086000000000000000100', 'hex');
  for (const path of readdirSync(tokens, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.object') || path.endsWith('token.object')) continue;
    const content = readFileSync(join(tokens, path));
    const at = content.indexOf(isUntrusted);
    if (at < 0) continue;
    content.writeUInt8(1, at + isUntrusted.length - 1);
    content.writeBigUInt64BE(content.readBigUInt64BE(0) + 1n, 0);
    writeFileSync(join(tokens, path), content);
  }
}

interface WaitingKey {
  member: string;
  label: string;
}

const stepsOf = ({ stderr }: Outcome): ({ step?: string } & Record<string, unknown>)[] =>
  stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const markingOf = (outcome: Outcome): { digest: string; keys: WaitingKey[] } =>
  (stepsOf(outcome).find(({ step }) => step === 'marking') ?? { digest: '', keys: [] }) as never;

describe('keys that the user makes and an officer marks', () => {
  const options = ['--unattested', '--output', 'json'];
  const init = (...more: string[]): Promise<Outcome> => cluster.run('init', [...options, ...more]);
  const configureMarking = (): void => {
    const modules = ['a', 'b'].map((name) => {
      const { libraryPath: path, environment } = cluster.hsm(name);
      return [name, { path, environment, profileOverrides: { ceremony: 'user-made-then-marked' } }];
    });
    cluster.configure({}, undefined, Object.fromEntries(modules) as object);
  };
  const makeCluster = (): void => {
    cluster = new CeremonyCluster(['a', 'b']);
    configureMarking();
  };

  test('wait for the officer, and a later run goes on with them', async () => {
    makeCluster();
    const first = await init();
    expect(first.exitCode, first.stderr).toBe(7);
    const { digest, keys } = markingOf(first);
    expect(keys.map(({ member }) => member).join('')).toBe('aaaabbbb');
    expect(keys[0]?.label).toMatch(/^holdfast\/cluster-.*\/1\/wraps-aes$/);
    expect((await cluster.json('status')).printed['generation_in_use']).toBeNull();

    // Whoever has the user PIN can plant keys: nobody takes them for those of the first run.
    for (const more of [[], ['--resume', '0'.repeat(64)]])
      expect(await init(...more)).toMatchObject({
        exitCode: 5,
        stderr: expect.stringContaining('UNKNOWN_KEYS') as string,
      });

    markAsTrusted('a');
    const second = await init('--resume', digest);
    expect(second.exitCode, second.stderr).toBe(7);
    expect(markingOf(second).keys.map(({ member }) => member)).toEqual(['b', 'b', 'b', 'b']);

    markAsTrusted('b');
    const third = await init('--resume', digest);
    expect(third.exitCode, third.stderr).toBe(0);
    const printed = JSON.parse(third.stdout) as { digest: string; record: string };
    expect(printed.digest).toBe(digest);
    const record = cluster.record(printed.record);
    expect(record).toMatchObject({ ceremony: 'user-made-then-marked', members: [{ attestation: 'unattested' }, {}] });
    expect(record.trust_checks.flatMap(({ attacks }) => attacks.filter(({ held }) => !held))).toEqual([]);
    expect((await cluster.json('status')).printed['generation_in_use']).toBe(1);
  });

  test('are marked while the command waits at a terminal; those that were not are named again', async () => {
    makeCluster();
    let prompts = 0;
    const onStderr = (text: string): void => {
      if (text.startsWith('Press Enter')) markAsTrusted(prompts++ === 0 ? 'a' : 'b');
    };
    const typed = ['yes', '', '', ''].join('\n');
    const { exitCode, stderr } = await cluster.run('init', [], { stdin: typed, tty: true, onStderr });
    expect(exitCode, stderr).toBe(0);
    expect(prompts).toBe(2);
    expect(stderr).toContain("with the officer's tool of SoftHSM 2.6, set CKA_TRUSTED of these keys to true");
    expect(stderr).not.toContain('SO PIN');
  });

  test('are made anew if a member lacks one, and when an operator asks for it', async () => {
    makeCluster();
    const digests = [markingOf(await init()).digest];
    digests.push(markingOf(await init('--anew')).digest);
    cluster.addMember('b');
    configureMarking();
    digests.push(markingOf(await init()).digest);
    expect(new Set(digests).size).toBe(3);
  });
});
