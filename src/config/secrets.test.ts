import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import type { SecretSource } from './configuration.js';
import { exampleConfiguration } from './example.js';
import { parseConfiguration } from './load.js';
import { ConfigurationError } from './problem.js';
import { decodeSealingKey } from './sealing-key.js';
import { exposureOf } from './file-exposure.js';
import { maximumSecretBytes, resolveSecret } from './secret-source.js';
import { resolveSealingKey, resolveSecrets } from './secrets.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(content: string | Uint8Array, mode = 0o600): SecretSource {
  const path = join(folder, randomBytes(8).toString('hex'));
  writeFileSync(path, content, { mode });
  chmodSync(path, mode);
  return { kind: 'file', path };
}

async function read(source: SecretSource, environment?: NodeJS.ProcessEnv): Promise<string> {
  using secret = await resolveSecret(source, environment);
  return new TextDecoder().decode(secret.reveal());
}

describe('files', () => {
  test.each([
    ['as it is', '1234567', '1234567'],
    ['without one newline', '1234567\n', '1234567'],
    ['without one Windows newline', '1234567\r\n', '1234567'],
    ['with every newline but one', '1234567\n\n', '1234567\n'],
    ['with its spaces', ' 12 ', ' 12 '],
  ])('%s', async (_, content, secret) => {
    expect(await read(fileWith(content))).toBe(secret);
  });

  test('a stricter mode is accepted', async () => {
    expect(await read(fileWith('1234567', 0o400))).toBe('1234567');
  });

  test.each([
    ['ours, 0600', 0o100600, 1000, undefined],
    ['ours, readable by its group', 0o100440, 1000, /is open to others \(mode 0440\); chmod 600 it/],
    ["root's, as orchestrators mount them", 0o100440, 0, undefined],
    ["root's, stricter", 0o100400, 0, undefined],
    ["root's, readable by all", 0o100444, 0, /belongs to root and is open to others \(mode 0444\)/],
    ["root's, writable by its group", 0o100460, 0, /belongs to root and is open to others/],
    ["root's, writable by root", 0o100640, 0, /belongs to root and is open to others/],
    ["another user's", 0o100400, 1001, /belongs to another user \(uid 1001\)/],
  ])('%s', (_, mode, uid, problem) => {
    const found = exposureOf({ mode, uid }, 1000);
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(problem);
  });

  test('a link to a file of our own is followed', async () => {
    const target = fileWith('1234567') as { path: string };
    const path = join(folder, 'link');
    symlinkSync(target.path, path);
    expect(await read({ kind: 'file', path })).toBe('1234567');
  });

  test.each([
    ['missing', { kind: 'file', path: join(folder, 'none') } as const, /does not exist/],
    ['a folder', { kind: 'file', path: folder } as const, /is not a file/],
    ['readable by the group', fileWith('x', 0o640), /is open to others \(mode 0640\); chmod 600 it/],
    ['writable by others', fileWith('x', 0o602), /is open to others \(mode 0602\)/],
    ['empty', fileWith(''), /is empty/],
    ['only a newline', fileWith('\n'), /is empty/],
    ['too long', fileWith('x'.repeat(maximumSecretBytes + 1)), /has more than 65536 bytes/],
  ])('%s', async (_, source, message) => {
    await expect(read(source)).rejects.toThrow(message);
  });
});

describe('environment', () => {
  test('a variable is removed once it has been read', async () => {
    const environment = { PIN: '1234567\n', OTHER: 'stays' };
    expect(await read({ kind: 'env', name: 'PIN' }, environment)).toBe('1234567');
    expect(environment).toEqual({ OTHER: 'stays' });
    await expect(read({ kind: 'env', name: 'PIN' }, environment)).rejects.toThrow('PIN is not set');
  });
});

describe('commands', () => {
  test('stdout is the secret, without a newline and without a shell', async () => {
    expect(await read({ kind: 'command', argv: ['echo', '$HOME; 1234567'] })).toBe('$HOME; 1234567');
  });

  test.each([
    ['missing', ['/nonexistent/program'], /could not be run/],
    ['failing', ['sh', '-c', 'echo secret; exit 3'], /failed with exit code 3/],
    ['silent', ['true'], /is empty/],
    ['endless', ['yes'], /printed more than 65536 bytes/],
  ] as const)('%s', async (_, argv, message) => {
    const reading = read({ kind: 'command', argv: [...argv] as [string, ...string[]] });
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.not.toThrow(/secret;/);
  });
});

describe('sealing keys', () => {
  const key = randomBytes(32);

  test.each([
    ['hex', key.toString('hex')],
    ['hex in capitals', key.toString('hex').toUpperCase()],
    ['base64', `${key.toString('base64')}\n`],
  ])('%s', async (_, text) => {
    using secret = await resolveSealingKey(fileWith(text));
    expect(Buffer.from(secret.reveal())).toEqual(key);
  });

  test.each([
    ['short', key.subarray(1).toString('hex')],
    ['33 bytes', randomBytes(33).toString('base64')],
    ['raw', key],
    ['not hex', `${key.toString('hex').slice(1)}x`],
    ['not base64', `${key.toString('base64').slice(0, 42)}*=`],
    ['base64url', `${'-'.repeat(43)}=`],
    ['base64 whose last bits say more than 32 bytes', `${'A'.repeat(42)}B=`],
  ])('%s is refused', async (_, text) => {
    await expect(resolveSealingKey(fileWith(text))).rejects.toThrow('a sealing key is 32 bytes as base64');
  });

  test('any key survives both encodings unchanged', () => {
    for (let round = 0; round < 200; round++) {
      const bytes = randomBytes(32);
      for (const encoding of ['hex', 'base64'] as const) {
        expect(decodeSealingKey(Buffer.from(bytes.toString(encoding)))).toEqual(new Uint8Array(bytes));
      }
    }
  });
});

describe('all secrets of a configuration', () => {
  const configuration = parseConfiguration(
    exampleConfiguration().replace('{ file: pin }', '{ env: PIN }').replace('{ file: sealing.key }', '{ env: SEAL }'),
    join(folder, 'holdfast.yaml'),
  );
  const seal = randomBytes(32).toString('hex');

  test('are read, and their variables removed', async () => {
    const environment = { PIN: '1234567', SEAL: seal, PATH: '/bin' };
    const secrets = await resolveSecrets(configuration, environment);
    expect(Buffer.from(secrets.defaultKeyStorePin?.reveal() ?? []).toString()).toBe('1234567');
    expect(secrets.sealingKeys.map(({ id }) => id)).toEqual(['seal-1']);
    expect(environment).toEqual({ PATH: '/bin' });
    expect(JSON.stringify(secrets)).not.toContain('1234567');
  });

  test('one variable may be named twice', async () => {
    const twice = {
      ...configuration,
      sealingKeys: [...configuration.sealingKeys, { id: 'b', key: { kind: 'env', name: 'SEAL' } as const }],
    };
    const environment = { PIN: '1234567', SEAL: seal };
    const secrets = await resolveSecrets(twice, environment);
    expect(secrets.sealingKeys).toHaveLength(2);
    expect(environment).toEqual({});
  });

  test.each([
    ['a second line', '1234567\nabc'],
    ['two newlines at its end', '1234567\n\n'],
    ['a Windows line end in its midst', '1234567\r\nabc\r\n'],
    ['a trailing blank', '1234567 '],
    ['a trailing tab before the newline', '1234567\t\n'],
    ['a leading blank', ' 1234567'],
    ['a byte order mark', '\ufeff1234567'],
    ['a NUL at its end', '1234567\0'],
    ['an escape sequence', '1234\u001b[A567'],
    ['UTF-16', Buffer.from('1234567', 'utf16le')],
    ['bytes that are not UTF-8', Buffer.from([0x31, 0xe4, 0x32])],
    ['a cut UTF-8 sequence', Buffer.from([0x31, 0xe2, 0x82])],
    ['33 characters where 32 are allowed', 'x'.repeat(33)],
    ['nothing', ''],
    ['only a newline', '\n'],
  ])('a PIN with %s is refused, and not shown', async (_, content) => {
    const { defaultKeyStore } = configuration;
    if (defaultKeyStore === null) throw new Error('The example has a default key store.');
    const changed = { ...configuration, defaultKeyStore: { ...defaultKeyStore, pin: fileWith(content) } };
    const failure = await resolveSecrets(changed, { SEAL: seal }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigurationError);
    expect((failure as ConfigurationError).problems.map(({ path }) => path)).toEqual(['defaultKeyStore.pin']);
    expect((failure as ConfigurationError).message).not.toMatch(/1234|xxx/);
  });

  test.each([
    ['a newline at its end', '1234567\n', '1234567'],
    ['a blank in its midst', 'correct horse', 'correct horse'],
    ['letters of more than one byte', 'pässwörd €😀', 'pässwörd €😀'],
    ['32 characters of four bytes', '😀'.repeat(32), '😀'.repeat(32)],
  ])('a PIN with %s is accepted', async (_, content, pin) => {
    const { defaultKeyStore } = configuration;
    if (defaultKeyStore === null) throw new Error('The example has a default key store.');
    const changed = { ...configuration, defaultKeyStore: { ...defaultKeyStore, pin: fileWith(content) } };
    const secrets = await resolveSecrets(changed, { SEAL: seal });
    expect(Buffer.from(secrets.defaultKeyStorePin?.reveal() ?? []).toString()).toBe(pin);
  });

  test('all missing secrets are reported at once, and none is shown', async () => {
    const failure = await resolveSecrets(configuration, { SEAL: 'not-a-sealing-key' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigurationError);
    const { problems, message } = failure as ConfigurationError;
    expect(problems.map(({ path }) => path)).toEqual(['defaultKeyStore.pin', 'sealingKeys[0].key']);
    expect(message).not.toContain('not-a-sealing-key');
  });
});
