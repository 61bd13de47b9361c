import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Deployment, type RunningServer } from '../e2e/deployment.js';
import { TokenReader } from '../token-reader.js';
import type { Invocation, Outcome } from './session.js';
import { holdfast } from './session.js';

const deployment = new Deployment();
const at = (name: string): string => join(deployment.folder, name);
let server: RunningServer;
let keyId = '';
let keyStoreId = '';

beforeAll(async () => {
  server = await deployment.start();
  await server.defaultKeyStoreConnected();
  for (const caller of ['operator', 'app', 'stranger'] as const) {
    const { certificatePath, keyPath } = deployment.certificateOf(caller);
    const lines = {
      server: `localhost:${server.port}`,
      ca: deployment.authority.certificatePath,
      certificate: certificatePath,
      key: keyPath,
    };
    writeFileSync(
      at(`${caller}.yaml`),
      Object.entries(lines)
        .map(([name, value]) => `${name}: ${value}\n`)
        .join(''),
    );
  }
});

afterAll(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

type As = 'operator' | 'app' | 'stranger';

async function run(
  argv: string[],
  { as = 'operator', ...invocation }: Invocation & { as?: As } = {},
): Promise<Outcome> {
  return holdfast([...argv, '--profile', at(`${as}.yaml`)], invocation);
}

async function json(argv: string[], options: Invocation & { as?: As } = {}): Promise<Record<string, unknown>> {
  const outcome = await run([...argv, '--output', 'json'], options);
  expect(outcome.stderr).toBe('');
  expect(outcome.exitCode).toBe(0);
  return JSON.parse(outcome.stdout) as Record<string, unknown>;
}

async function done(argv: string[], options: Invocation & { as?: As } = {}): Promise<string> {
  const outcome = await run(argv, options);
  expect(outcome.stderr).toBe('');
  expect(outcome.exitCode).toBe(0);
  return outcome.stdout;
}

describe('key stores', () => {
  const create = (...more: string[]): string[] => [
    'key-store',
    'create',
    '--name',
    'main',
    '--cluster-id',
    deployment.customCluster.clusterId,
    '--trust-anchor',
    at('anchor.pem'),
    ...more,
  ];

  test('a wrong password typed at the prompt is tried once, corrected from stdin, and connected', async () => {
    writeFileSync(at('anchor.pem'), deployment.trustAnchor);
    const created = await run(create('--output', 'json'), { tty: true, stdin: 'wrong-pin-x\u007f\n' });
    expect(created.exitCode).toBe(0);
    expect(created.stderr).toBe('Password: \n');
    expect(created.stdout).not.toContain('wrong-pin');
    keyStoreId = (JSON.parse(created.stdout) as { custom_key_store_id: string }).custom_key_store_id;
    const failed = await run(['key-store', 'connect', keyStoreId, '--wait']);
    expect([failed.exitCode, failed.stderr]).toEqual([
      5,
      expect.stringMatching(/^error: INVALID_CREDENTIALS: .* is FAILED\nhint: /),
    ]);
    await done(['key-store', 'disconnect', keyStoreId]);
    await done(['key-store', 'update', keyStoreId, '--password-stdin'], { stdin: `${deployment.customCluster.pin}\n` });
    expect(await done(['key-store', 'connect', keyStoreId, '--wait'])).toBe(`${keyStoreId} is connected\n`);
  });

  test('describe, as a table and as JSON', async () => {
    expect(await done(['key-store', 'describe', '--name', 'main'])).toMatch(/connection_state +CONNECTED\n/);
    expect(await done(['key-store', 'describe'])).toMatch(
      /^custom_key_store_id .*\ncks-\w+ +main +cluster-\w+ +CONNECTED/,
    );
    const { custom_key_stores: stores } = await json(['key-store', 'describe', keyStoreId]);
    expect(stores).toEqual([
      expect.objectContaining({ custom_key_store_id: keyStoreId, connection_state: 'CONNECTION_STATE_CONNECTED' }),
    ]);
  });

  test('the PIN is rotated by the name of the key store, or by that of its cluster', async () => {
    const { clusterId } = deployment.customCluster;
    expect(await done(['key-store', 'rotate-pin', keyStoreId, '--dry-run'])).toBe('a: OLD\n');
    const rotated = 'a: NEW\nevery member and the catalog have the new PIN\n';
    expect(await done(['cluster', 'rotate-pin', clusterId])).toBe(rotated);
    const file = at('new.pin');
    const keep = ['key-store', 'rotate-pin', keyStoreId, '--pin-out', file];
    expect(JSON.stringify(await json(keep))).not.toContain('generated');
    const pin = readFileSync(file, 'utf8');
    expect(pin).toMatch(/^[A-Za-z2-9]{24}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await run(keep)).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('must not exist') as string });
    // It is the token's PIN: a rotation to another one begins with a login by it.
    const { softHsm, customCluster } = deployment;
    expect(new TokenReader(softHsm, customCluster.tokenLabel, pin).list()).toBeDefined();
    const shown = await run(['key-store', 'rotate-pin', keyStoreId, '--show-pin'], { tty: true });
    expect(shown.stdout).toMatch(/^PIN: [A-Za-z2-9]{24}$/m);
    for (const wrong of [
      ['--show-pin', '--output', 'json'],
      ['--show-pin', '--dry-run'],
      ['--pin-out', at('x'), '--dry-run'],
    ])
      expect((await run(['key-store', 'rotate-pin', keyStoreId, ...wrong], { tty: true })).exitCode).toBe(2);
    expect((await run(['key-store', 'rotate-pin', keyStoreId, '--show-pin'], { tty: false })).exitCode).toBe(2);
    const unknown = await run(['cluster', 'rotate-pin', 'cluster-zzzzzzzzzzz']);
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringMatching(/^error: NOT_FOUND: .*\nhint: /)]);
  });

  test('a refusal of the server is exit code 1, with its error code', async () => {
    const again = await run(create('--password-stdin'), { stdin: deployment.customCluster.pin });
    expect([again.exitCode, again.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: (CUSTOM_KEY_STORE_NAME_IN_USE|CLOUD_HSM_CLUSTER_IN_USE): /),
    ]);
    const removed = await run(['key-store', 'delete', keyStoreId, '--output', 'json']);
    expect(removed.exitCode).toBe(1);
    expect(JSON.parse(removed.stderr)).toMatchObject({
      error: { code: 'CUSTOM_KEY_STORE_INVALID_STATE', request_id: expect.any(String) as string },
    });
  });
});

describe('keys and aliases', () => {
  test('create in both kinds of key store, describe, list', async () => {
    const { key_metadata: custom } = await json(['key', 'create', '--key-store-id', keyStoreId]);
    expect(custom).toMatchObject({ custom_key_store_id: keyStoreId, origin: 'ORIGIN_AWS_CLOUDHSM' });
    const { key_metadata: standard } = await json(['key', 'create', '--description', 'for tests']);
    keyId = (standard as { key_id: string }).key_id;
    expect(await done(['key', 'describe', keyId])).toMatch(/key_state +ENABLED\n[^]*custody\.extractable +false\n/);
    const { keys } = await json(['key', 'list']);
    expect(keys).toHaveLength(2);
  });

  test('aliases', async () => {
    await done(['alias', 'create', 'alias/app', '--target-key-id', keyId]);
    expect(await done(['alias', 'list', '--key-id', keyId])).toContain('alias/app');
    await done(['alias', 'create', 'alias/other', '--target-key-id', keyId]);
    await done(['alias', 'update', 'alias/other', '--target-key-id', keyId]);
    await done(['alias', 'delete', 'alias/other']);
    expect((await run(['alias', 'delete', 'alias/other'])).exitCode).toBe(1);
  });

  test('a new description', async () => {
    await done(['key', 'update', keyId, '--description', 'card numbers, old']);
    expect(await done(['key', 'describe', keyId])).toContain('card numbers, old');
    await done(['key', 'update', keyId, '--description', '']);
    expect(await done(['key', 'describe', keyId])).not.toContain('card numbers');
  });

  test('disable, enable, schedule and cancel deletion', async () => {
    await done(['key', 'disable', keyId]);
    const refused = await run(['encrypt', '--key-id', keyId], { stdin: 'x' });
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringMatching(/^error: DISABLED: /)]);
    await done(['key', 'enable', keyId]);
    expect(await done(['key', 'schedule-deletion', keyId, '--days', '7'])).toMatch(
      /will be destroyed on \d{4}-\d\d-\d\dT/,
    );
    await done(['key', 'cancel-deletion', keyId]);
    await done(['key', 'enable', keyId]);
    const wrong = await run(['key', 'schedule-deletion', keyId, '--days', '6']);
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: VALIDATION: [^]*pending_window_in_days/),
    ]);
  });
});

describe('cryptography', () => {
  const context = ['--context', 'tenant=42', '--context', 'note=a=b'];

  test('binary files survive, and only their owner can read the plaintext', async () => {
    const plaintext = randomBytes(4_096);
    deployment.ledger.add('file', plaintext);
    const source = at('source.pin');
    writeFileSync(source, plaintext, { mode: 0o600 });
    const outcome = await done(
      ['encrypt', '--key-id', 'alias/app', '--plaintext-file', source, ...context, '--out', at('blob')],
      { as: 'app' },
    );
    expect(outcome).toBe('');
    await done(['decrypt', '--ciphertext-file', at('blob'), ...context, '--out', at('copy.pin')], { as: 'app' });
    expect(readFileSync(at('copy.pin')).equals(plaintext)).toBe(true);
    expect(statSync(at('copy.pin')).mode & 0o777).toBe(0o600);
  });

  test('pipes are binary, terminals get base64 or text', async () => {
    const secret = `text ${randomBytes(8).toString('hex')}`;
    deployment.ledger.add('text', secret);
    const piped = await run(['encrypt', '--key-id', 'alias/app', '--plaintext-file', '-'], { stdin: secret });
    const back = await run(['decrypt'], { stdin: piped.stdoutBytes });
    expect(back.stdout).toBe(secret);
    writeFileSync(at('text.pin'), secret, { mode: 0o600 });
    const shown = await run(['encrypt', '--key-id', 'alias/app', '--plaintext-file', at('text.pin')], { tty: true });
    expect(shown.stdout).toMatch(/^[A-Za-z0-9+/]+={0,2}\n$/);
    const read = await run(['decrypt', '--ciphertext', shown.stdout.trim()], { tty: true });
    expect(read.stdout).toBe(`${secret}\n`);
    const wrapped = await run(['decrypt', '--ciphertext-base64'], { stdin: shown.stdout });
    expect(wrapped.stdout).toBe(secret);
  });

  test('another context, another key, and a changed ciphertext are refused', async () => {
    const { ciphertext_blob: blob } = await json(['encrypt', '--key-id', 'alias/app', ...context], { stdin: 'x' });
    const decrypt = ['decrypt', '--ciphertext', blob as string];
    expect(await json([...decrypt, ...context])).toMatchObject({ plaintext: Buffer.from('x').toString('base64') });
    expect((await run([...decrypt, '--context', 'tenant=43'])).stderr).toMatch(
      /^error: INVALID_CIPHERTEXT: .*\nhint: /,
    );
    const { keys } = (await json(['key', 'list'])) as { keys: { key_id: string }[] };
    const other = keys.find(({ key_id: id }) => id !== keyId)?.key_id ?? '';
    expect((await run([...decrypt, ...context, '--key-id', other])).stderr).toMatch(/^error: INCORRECT_KEY: /);
  });

  test('re-encrypt moves a ciphertext to another context', async () => {
    await done(['encrypt', '--key-id', 'alias/app', '--out', at('old')], { stdin: 'moved' });
    const moved = [
      're-encrypt',
      '--ciphertext-file',
      at('old'),
      '--destination-key-id',
      keyId,
      '--destination-context',
      'to=new',
    ];
    const base64 = await done([...moved, '--base64']);
    expect(await done(['decrypt', '--ciphertext', base64.trim(), '--context', 'to=new'])).toBe('moved');
  });

  test('data keys in files, and without plaintext', async () => {
    const files = ['--plaintext-out', at('data.pin'), '--ciphertext-out', at('data.enc')];
    expect(await done(['generate-data-key', '--key-id', 'alias/app', '--key-spec', 'AES_128', ...files])).toBe('');
    const dataKey = readFileSync(at('data.pin'));
    deployment.ledger.add('data key', dataKey);
    expect(dataKey).toHaveLength(16);
    const decrypted = await run(['decrypt'], { stdin: readFileSync(at('data.enc')) });
    expect(decrypted.stdoutBytes.equals(dataKey)).toBe(true);
    const without = await json([
      'generate-data-key',
      '--key-id',
      'alias/app',
      '--number-of-bytes',
      '64',
      '--without-plaintext',
    ]);
    expect(without).toHaveProperty('ciphertext_blob');
    expect(without).not.toHaveProperty('plaintext');
  });

  test('MACs, as bytes and as base64; a wrong one is an error', async () => {
    const created = await json(['key', 'create', '--key-spec', 'HMAC_512', '--description', 'webhooks']);
    const { key_id: macKeyId } = created['key_metadata'] as { key_id: string };
    const common = ['--key-id', macKeyId, '--mac-algorithm', 'HMAC_SHA_512'];
    writeFileSync(at('body'), 'a message');
    await done(['generate-mac', ...common, '--message-file', at('body'), '--out', at('body.mac')]);
    expect(readFileSync(at('body.mac'))).toHaveLength(64);
    const base64 = await run(['generate-mac', ...common, '--base64'], { stdin: Buffer.from('a message') });
    expect(Buffer.from(base64.stdout, 'base64').equals(readFileSync(at('body.mac')))).toBe(true);
    writeFileSync(at('body.mac.txt'), base64.stdout);
    const verify = ['verify-mac', ...common, '--message-file', at('body'), '--mac-file'];
    expect(await json([...verify, at('body.mac')])).toMatchObject({ mac_valid: true });
    expect(await json([...verify, at('body.mac.txt'), '--base64'])).toMatchObject({ mac_valid: true });
    const wrong = await run([...verify, at('body')]);
    expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringMatching(/^error: KMS_INVALID_MAC: /)]);
  });

  test('random bytes', async () => {
    expect((await run(['generate-random', '--number-of-bytes', '1024'])).stdoutBytes).toHaveLength(1_024);
    const line = await done(['generate-random', '--number-of-bytes', '32', '--key-store-id', keyStoreId, '--base64']);
    expect(Buffer.from(line, 'base64')).toHaveLength(32);
  });

  test('a file that cannot be written is exit code 4, and nothing is left behind', async () => {
    const outcome = await run(['generate-random', '--number-of-bytes', '8', '--out', at('none/random')]);
    expect([outcome.exitCode, outcome.stderr]).toEqual([4, expect.stringContaining('cannot be written (ENOENT)')]);
  });
});

describe('the caller’s identity', () => {
  test('a user may not make keys, a stranger may do nothing', async () => {
    const user = await run(['key', 'create'], { as: 'app' });
    expect([user.exitCode, user.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: ACCESS_DENIED: [^]*hint: permissions are under principals/),
    ]);
    expect((await run(['key', 'list'], { as: 'stranger' })).exitCode).toBe(1);
  });

  test('another authority is exit code 3', async () => {
    const outcome = await run(['key', 'list', '--ca', deployment.otherAuthority.certificatePath, '--timeout', '5']);
    expect([outcome.exitCode, outcome.stderr]).toEqual([3, expect.stringMatching(/UNREACHABLE: [^]*hint: check --ca/)]);
  });

  test('the socket is the operator, and the environment names a server too', async () => {
    const overSocket = await holdfast(['key', 'list'], {
      environment: { HOLDFAST_SERVER: `unix:${deployment.socketPath}` },
    });
    expect(overSocket).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(keyId) as string });
  });
});

describe('doctor', () => {
  const doctor = (...more: string[]): Promise<Outcome> =>
    holdfast(['doctor', '--config', deployment.configurationPath, '--output', 'json', ...more]);
  const findings = (outcome: Outcome): { status: string; subject: string; message: string }[] =>
    (JSON.parse(outcome.stdout) as { findings: { status: string; subject: string; message: string }[] }).findings;

  test('finds no problem beside a running server, and a correct PIN if asked to try it', async () => {
    const outcome = await doctor('--try-pin');
    expect(findings(outcome).filter(({ status }) => status === 'fail')).toEqual([]);
    expect(outcome.exitCode).toBe(0);
    expect(findings(outcome).at(-1)).toMatchObject({ subject: 'login to the default key store', status: 'ok' });
  });

  test('a sealing key open to others and a missing token fail, each by name', async () => {
    chmodSync(at('sealing.key'), 0o644);
    const text = readFileSync(deployment.configurationPath, 'utf8');
    writeFileSync(deployment.configurationPath, text.replace('tokenLabel: custom', 'tokenLabel: costum'));
    const outcome = await doctor();
    chmodSync(at('sealing.key'), 0o600);
    writeFileSync(deployment.configurationPath, text);
    expect(outcome.exitCode).toBe(5);
    const failed = findings(outcome).filter(({ status }) => status === 'fail');
    expect(failed.map(({ subject }) => subject)).toEqual(['sealing key seal-1', 'member a of cluster custom']);
  });
});
