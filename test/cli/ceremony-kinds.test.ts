/** Ceremonies whose keys the user makes: on tokens that do not enforce trust, and for an officer to mark. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  const isUntrusted = Buffer.from('0000000000000086000000000000000100', 'hex');
  for (const path of objectsOf(member)) {
    const content = readFileSync(path);
    const at = content.indexOf(isUntrusted);
    if (at < 0) continue;
    content.writeUInt8(1, at + isUntrusted.length - 1);
    content.writeBigUInt64BE(content.readBigUInt64BE(0) + 1n, 0);
    writeFileSync(path, content);
  }
}

function removeMark(member: string): void {
  for (const path of objectsOf(member)) if (readFileSync(path).includes('/complete')) rmSync(path);
}

/** The files of a member's objects. */
function objectsOf(member: string): string[] {
  const tokens = join(cluster.hsm(member).directory, 'tokens');
  return readdirSync(tokens, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.object') && !path.endsWith('token.object'))
    .map((path) => join(tokens, path));
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

  // Whoever has the user PIN replaces them after the first run, and the officer marks those.
  test('that were replaced before the officer marked them are refused all the same', async () => {
    makeCluster();
    const { digest } = markingOf(await init());
    const replaced = markingOf(await init('--anew')).digest;
    for (const member of ['a', 'b']) markAsTrusted(member);
    for (const more of [['--resume', digest], []])
      expect(await init(...more)).toMatchObject({
        exitCode: 5,
        stderr: expect.stringContaining('UNKNOWN_KEYS') as string,
      });
    expect((await cluster.json('status')).printed['generation_in_use']).toBeNull();
    expect((await init('--resume', replaced)).exitCode).toBe(0);
    // Marks say nothing of who made the keys: their digest is compared even so, and a generation of which some members
    // have the mark is left alone for the next one.
    expect(await init('--resume', digest)).toMatchObject({ exitCode: 5 });
    removeMark('b');
    const next = await cluster.run('rotate-wrapping-key', [...options, '--anew']);
    expect([next.exitCode, markingOf(next).keys[0]?.label]).toEqual([7, expect.stringContaining('/2/wraps-aes')]);
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
    expect(await init('--resume', digests[1] ?? '')).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('not on all members any more') as string,
    });
    digests.push(markingOf(await init()).digest);
    expect(new Set(digests).size).toBe(3);
  });
});
