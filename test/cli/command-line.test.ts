import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { version } from '../../src/version.js';
import { createSoftHsm } from '../softhsm.js';
import { holdfast } from './session.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const nowhere = ['--server', '127.0.0.1:1', '--without-tls', '--timeout', '5'];

const commands = [
  'serve',
  'config check',
  'config print-example',
  'config new-id',
  'token list',
  'cluster init',
  'cluster status',
  'cluster add-member',
  'cluster rotate-wrapping-key',
  'cluster remove-member',
  'cluster verify-record',
  'doctor',
  'login-attempts list',
  'login-attempts forget',
  'health',
  'status',
  ...['create', 'connect', 'disconnect', 'describe', 'update', 'delete'].map((name) => `key-store ${name}`),
  ...['create', 'describe', 'list', 'enable', 'disable', 'update', 'schedule-deletion', 'cancel-deletion'].map(
    (name) => `key ${name}`,
  ),
  ...['create', 'list', 'update', 'delete'].map((name) => `alias ${name}`),
  'encrypt',
  'decrypt',
  're-encrypt',
  'generate-data-key',
  'generate-random',
  'generate-mac',
  'verify-mac',
];

describe('help', () => {
  test.each(commands)('holdfast %s --help has an example', async (command) => {
    const { exitCode, stdout } = await holdfast([...command.split(' '), '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: holdfast /);
    expect(stdout).toMatch(/Examples?:\n {2}.*holdfast/);
    expect(stdout).toContain(`holdfast ${command}`);
  });

  test('exit codes are documented, and the version is that of the package', async () => {
    expect((await holdfast(['--help'])).stdout).toContain('Exit codes:');
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(version).toBe(manifest.version);
    expect((await holdfast(['--version'])).stdout.trim()).toBe(version);
  });
});

describe('a wrong command line is exit code 2', () => {
  test.each([
    ['nothing', []],
    ['an unknown command', ['kye', 'list']],
    ['an unknown option', ['key', 'list', '--loud']],
    ['a missing argument', ['key', 'describe']],
    ['one argument too many', ['key', 'list', 'extra']],
    ['a missing option', ['encrypt']],
    ['another output', ['key', 'list', '--output', 'xml']],
    ['no server', ['key', 'list']],
    ['half of TLS', ['key', 'list', '--server', 'a:1', '--ca', 'ca.pem']],
    ['a timeout that is not a number', ['key', 'list', '--timeout', 'soon']],
    ['a context without =', ['encrypt', '--key-id', 'a', '--context', 'a', ...nowhere]],
    ['a name twice in a context', ['encrypt', '--key-id', 'a', '--context', 'a=1', '--context', 'a=2', ...nowhere]],
    ['a number in another notation', ['generate-random', '--number-of-bytes', '1e3', ...nowhere]],
    [
      'two lengths',
      ['generate-data-key', '--key-id', 'a', '--key-spec', 'AES_128', '--number-of-bytes', '1', ...nowhere],
    ],
    ['half a data key', ['generate-data-key', '--key-id', 'a', '--plaintext-out', 'x', ...nowhere]],
    ['text that is not base64', ['decrypt', '--ciphertext', '%%%%', ...nowhere]],
    ['two ciphertexts', ['decrypt', '--ciphertext', 'AAAA', '--ciphertext-file', 'x', ...nowhere]],
    [
      'a password without a terminal',
      [
        'key-store',
        'create',
        '--name',
        'a',
        '--cluster-id',
        'b',
        '--trust-anchor',
        new URL(import.meta.url).pathname,
        ...nowhere,
      ],
    ],
  ])('%s', async (_, argv) => {
    const { exitCode, stdout, stderr } = await holdfast(argv);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });

  test('a terminal is not read for a plaintext', async () => {
    const { exitCode, stderr } = await holdfast(['encrypt', '--key-id', 'a', ...nowhere], { tty: true });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('--plaintext-file -')]);
  });

  test('errors are JSON if the output is', async () => {
    const { stderr } = await holdfast(['key', 'list', '--output', 'json']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE', message: 'no server is named' } });
    const unknown = await holdfast(['key', 'list', '--loud', '--output', 'json']);
    expect(JSON.parse(unknown.stderr)).toMatchObject({ error: { code: 'USAGE', message: "unknown option '--loud'" } });
  });
});

describe('secrets are never arguments', () => {
  test.each([
    [['key-store', 'create', '--name', 'a', '--cluster-id', 'b', '--trust-anchor', 'c', '--password', 'hunter2']],
    [['key-store', 'update', 'cks-1', '--password=hunter2']],
    [['encrypt', '--key-id', 'a', '--plaintext', 'hunter2']],
  ])('%j', async (argv) => {
    const { exitCode, stdout, stderr } = await holdfast(argv);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/every user of this machine can see it/);
    expect(stdout + stderr).not.toContain('hunter2');
  });
});

describe('local problems', () => {
  test('a file that cannot be read is exit code 4', async () => {
    const { exitCode, stderr } = await holdfast([
      'encrypt',
      '--key-id',
      'a',
      '--plaintext-file',
      join(folder, 'none'),
      ...nowhere,
    ]);
    expect([exitCode, stderr]).toEqual([
      4,
      expect.stringMatching(/^error: LOCAL_FILE: .*none cannot be read \(ENOENT\)/),
    ]);
  });

  test('a password file that others can read is exit code 4', async () => {
    const file = join(folder, 'open.pin');
    writeFileSync(file, '1234567', { mode: 0o644 });
    const { exitCode, stderr } = await holdfast(['key-store', 'update', 'cks-1', '--password-file', file, ...nowhere]);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('chmod 600')]);
  });

  test('a profile with unknown keys is exit code 4', async () => {
    const profile = join(folder, 'profile.yaml');
    writeFileSync(profile, 'sever: a:1\n');
    const { exitCode, stderr } = await holdfast(['key', 'list', '--profile', profile]);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('it has sever')]);
  });

  test('an unreachable server is exit code 3', async () => {
    const { exitCode, stderr } = await holdfast(['key', 'list', ...nowhere]);
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringMatching(/^error: UNREACHABLE: .*\nhint: is the server running/),
    ]);
  });
});

describe('config', () => {
  test('the example passes, and a mistake is exit code 5', async () => {
    const file = join(folder, 'holdfast.yaml');
    const { stdout: example } = await holdfast(['config', 'print-example']);
    writeFileSync(file, example);
    expect(await holdfast(['config', 'check', file])).toMatchObject({ exitCode: 0, stdout: `${file} is fine\n` });
    writeFileSync(file, example.replace('clusters:', 'clusterz:'));
    const wrong = await holdfast(['config', 'check', file]);
    expect(wrong.exitCode).toBe(5);
    expect(wrong.stdout).toMatch(/clusterz: unknown key; did you mean clusters\?/);
    const json = await holdfast(['config', 'check', file, '--output', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      file,
      problems: expect.arrayContaining([expect.objectContaining({ path: 'clusterz' })]) as unknown,
    });
  });

  test('new-id prints the id of a cluster', async () => {
    expect((await holdfast(['config', 'new-id'])).stdout).toMatch(/^cluster-[2-7a-z]{11}\n$/);
  });
});

describe('token list', () => {
  const softHsm = createSoftHsm({ tokens: [{ label: 'payments', userPin: '1234567' }] });
  afterAll(() => softHsm.dispose());
  const environment = ['--env', `SOFTHSM2_CONF=${softHsm.configPath}`];

  test('shows tokens, and the configuration lines for them', async () => {
    const { exitCode, stdout } = await holdfast(['token', 'list', softHsm.libraryPath, ...environment]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/label +payments\n/);
    expect(stdout).toContain('AES_GCM');
    expect(stdout).toContain('tokenLabel: payments');
    expect(stdout).toMatch(/id: cluster-[2-7a-z]{11}/);
  });

  test.each(['3s', '0', '-1', '4000', ''])('a time of %j is refused: it would be no bound', async (time) => {
    const { exitCode, stderr } = await holdfast(['token', 'list', join(folder, 'none.so'), '--timeout', time]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('Must be a number of seconds')]);
  });

  test('a file that is not a library is exit code 5', async () => {
    const { exitCode, stderr } = await holdfast(['token', 'list', join(folder, 'none.so')]);
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('error: MODULE:')]);
  });
});
