import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { Deployment } from '../../test/e2e/deployment.js';
import { systemClock } from '../clock-system.js';
import { compose } from '../compose.js';
import { loadConfiguration } from '../config/load.js';
import { readSecrets, resolveSecrets } from '../config/secrets.js';
import { createLogger } from '../telemetry/logger.js';
import { preconditions } from './list.js';
import { checkAll, type NamedFinding } from './precondition.js';
import { requirePreconditions, UnmetPreconditionsError } from './start.js';

/**
 * Breaks one thing at a time, and compares three opinions: the report to the operator (`doctor`), the checks of `serve`
 * before it opens anything, and the behaviour of a server that is composed without checks.
 */

let deployment: Deployment;
let original: Record<string, unknown>;
const logger = createLogger('silent');
const at = (name: string): string => join(deployment.folder, name);

beforeAll(async () => {
  deployment = new Deployment({ customClusters: [] });
  for (const name of ['certificate', 'key', 'ca', 'anchor']) copy(source(name), at(`${name}.pem`));
  writeFileSync(at('crl.pem'), deployment.authority.revocationList());
  copy(deployment.softHsm.libraryPath, at('module.so'));
  original = parse(readFileSync(deployment.configurationPath, 'utf8')) as Record<string, unknown>;
  const [tls] = original['listeners'] as Record<string, unknown>[];
  Object.assign(tls ?? {}, {
    certificate: at('certificate.pem'),
    key: at('key.pem'),
    clientCertificateAuthority: at('ca.pem'),
    certificateRevocationList: at('crl.pem'),
  });
  const [cluster] = original['clusters'] as Record<string, unknown>[];
  Object.assign(cluster ?? {}, { trustAnchorCertificate: at('anchor.pem') });
  const { softhsm } = original['modules'] as Record<string, Record<string, unknown>>;
  Object.assign(softhsm ?? {}, { path: at('module.so') });
  configure(() => undefined);
  // Creates the catalog and the audit log.
  expect(await composed()).toBe('started');
});

afterAll(() => deployment.dispose());

/** A separate file, even if the source is a link: everything here is overwritten. */
function copy(from: string, to: string): void {
  writeFileSync(to, readFileSync(from), { mode: 0o600, flag: 'wx' });
}

function source(name: string): string {
  const [tls] = (parse(readFileSync(deployment.configurationPath, 'utf8')) as { listeners: Record<string, string>[] })
    .listeners;
  if (name === 'certificate' || name === 'key') return tls?.[name] ?? '';
  return deployment.authority.certificatePath;
}

function configure(change: (configuration: Record<string, unknown>) => void): void {
  const configuration = structuredClone(original);
  change(configuration);
  writeFileSync(deployment.configurationPath, stringify(configuration));
}

async function composed(): Promise<string> {
  const configuration = await loadConfiguration(deployment.configurationPath);
  try {
    const server = await compose(configuration, await resolveSecrets(configuration), logger);
    await server.stop();
    return 'started';
  } catch (error) {
    return (error as Error).message;
  }
}

const failuresOf = (found: readonly NamedFinding[]): NamedFinding[] => found.filter(({ status }) => status === 'fail');

/** The findings of `doctor` that need no HSM. */
async function operatorSees(): Promise<NamedFinding[]> {
  const configuration = await loadConfiguration(deployment.configurationPath);
  const secrets = await readSecrets(configuration, { ...process.env });
  return checkAll(preconditions, { configuration, secrets, now: systemClock.now(), asks: 'operator' });
}

async function serviceSays(): Promise<{ starts: boolean; failures: NamedFinding[] }> {
  const configuration = await loadConfiguration(deployment.configurationPath);
  try {
    const { findings } = await requirePreconditions(configuration, systemClock.now());
    return { starts: true, failures: failuresOf(findings) };
  } catch (error) {
    if (!(error instanceof UnmetPreconditionsError)) throw error;
    return { starts: false, failures: [...error.findings] };
  }
}

/** @returns the findings of `doctor` and `serve` about the broken thing */
async function expectAgreement(): Promise<NamedFinding[]> {
  const seen = failuresOf(await operatorSees());
  const said = await serviceSays();
  const preventing = seen.filter(({ prevents }) => prevents === 'start');
  expect(said.starts).toBe(preventing.length === 0);
  expect(said.failures).toEqual(said.starts ? seen : preventing);
  for (const { message, remedy } of seen) {
    expect(message).not.toBe('');
    expect(remedy ?? '').not.toBe('');
  }
  // Files that would hang the process are refused before they are opened.
  if (!said.starts && seen.some(({ message }) => message.includes('named pipe'))) return seen;
  if ((await composed()) !== 'started') expect(said.starts).toBe(false);
  return seen;
}

type Spoil = (path: string) => void;

const faults: Record<string, Spoil> = {
  missing: (path) => rmSync(path, { recursive: true }),
  empty: (path) => writeFileSync(path, ''),
  garbage: (path) => writeFileSync(path, 'no such thing\n'.repeat(400)),
  'a folder': (path) => {
    rmSync(path, { recursive: true });
    mkdirSync(path);
  },
  'a named pipe': (path) => {
    rmSync(path, { recursive: true });
    execFileSync('mkfifo', ['-m', '600', path]);
  },
  huge: (path) => truncateSync(path, 2 ** 33),
  'open to all': (path) => chmodSync(path, 0o666),
  "another user's": (path) => chownSync(path, 4_711, 4_711),
};

/** Files that `serve` reads, and the faults that are harmless for each. */
const files: Record<string, readonly (keyof typeof faults)[]> = {
  'default.pin': [],
  'sealing.key': [],
  'certificate.pem': ['open to all', "another user's"],
  'key.pem': [],
  'ca.pem': ['open to all', "another user's"],
  'crl.pem': ['open to all', "another user's"],
  'anchor.pem': ['open to all', "another user's"],
  'module.so': ["another user's"],
  // SQLite ignores bytes after its last page.
  'catalog.sqlite': ["another user's", 'huge'],
  'audit.log': ['empty', 'garbage', 'huge', 'open to all', "another user's", 'missing'],
};

describe('a sound deployment', () => {
  test('has no failure, and starts', async () => {
    expect(await expectAgreement()).toEqual([]);
  });
});

describe.each(Object.entries(files))('%s', (file, harmless) => {
  // Only loading a file shows whether it is a library: the addon must survive that.
  const possible = Object.keys(faults).filter((fault) => process.getuid?.() === 0 || fault !== "another user's");
  const own = possible.filter((fault) => file !== 'module.so' || !['empty', 'garbage', 'huge'].includes(fault));
  test.each(own)('%s', async (fault) => {
    const kept = at('kept');
    expect(lstatSync(at(file)).isFile()).toBe(true);
    cpSync(at(file), kept, { preserveTimestamps: true });
    const mode =
      { 'default.pin': 0o600, 'sealing.key': 0o600, 'key.pem': 0o600, 'catalog.sqlite': 0o600 }[file] ?? 0o644;
    try {
      faults[fault]?.(at(file));
      const seen = await expectAgreement();
      expect(seen.length > 0).toBe(!harmless.includes(fault));
    } finally {
      for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(at(name), { recursive: true, force: true });
      cpSync(kept, at(file));
      chmodSync(at(file), mode);
      rmSync(kept);
    }
  });
});

describe('problems that concern more than a file', () => {
  const listenerChange = (index: number, change: object) => (configuration: Record<string, unknown>) => {
    Object.assign((configuration['listeners'] as object[])[index] ?? {}, change);
  };

  test.each([
    ['an address of another machine', listenerChange(0, { address: '192.0.2.1' }), 'listener tls 192.0.2.1:0'],
    [
      'a socket in a folder that is missing',
      listenerChange(1, { path: '/nonexistent/s' }),
      'listener unix /nonexistent/s',
    ],
    [
      'a socket with a long path',
      listenerChange(1, { path: `/tmp/${'x'.repeat(110)}` }),
      `listener unix /tmp/${'x'.repeat(110)}`,
    ],
    [
      'an audit log that is always full',
      (configuration: Record<string, unknown>) => Object.assign(configuration, { audit: { file: '/dev/full' } }),
      'audit log /dev/full',
    ],
    [
      'an audit log without its folder',
      (configuration: Record<string, unknown>) =>
        Object.assign(configuration, { audit: { file: '/nonexistent/a.log' } }),
      'audit log /nonexistent/a.log',
    ],
    [
      'a lock directory that is a file',
      (configuration: Record<string, unknown>) => Object.assign(configuration, { lockDirectory: '/etc/passwd' }),
      'lock directory /etc/passwd',
    ],
    [
      'more connections than descriptors',
      (configuration: Record<string, unknown>) =>
        Object.assign(configuration, { limits: { maximumConnections: 100_000 } }),
      'file descriptors',
    ],
    [
      'a configuration of the module that is missing',
      (configuration: Record<string, unknown>) => {
        const { softhsm } = configuration['modules'] as Record<string, object>;
        Object.assign(softhsm ?? {}, { environment: { SOFTHSM2_CONF: '/nonexistent/softhsm2.conf' } });
      },
      'SOFTHSM2_CONF of module softhsm',
    ],
  ])('%s', async (_, change, subject) => {
    configure(change);
    const seen = await expectAgreement();
    expect(seen.map((finding) => finding.subject)).toEqual([subject]);
    configure(() => undefined);
  });

  test.each([
    ['is missing', (path: string) => rmSync(path, { recursive: true }), 'service', 'does not exist'],
    ['may be written by the group', (path: string) => chmodSync(path, 0o770), 'start', 'mode 770'],
    ['may be written by all', (path: string) => chmodSync(path, 0o777), 'start', 'mode 777'],
    ["is another user's", (path: string) => chownSync(path, 4_711, 4_711), 'start', 'uid 4711'],
  ])('a folder of backups that %s', async (what, spoil, prevents, message) => {
    if (what.includes('another') && process.getuid?.() !== 0) return;
    const { backupFolder } = deployment;
    try {
      spoil(backupFolder);
      const seen = await expectAgreement();
      expect(seen).toMatchObject([
        { check: 'backup-folder', prevents, message: expect.stringContaining(message) as string },
      ]);
    } finally {
      mkdirSync(backupFolder, { recursive: true });
      chmodSync(backupFolder, 0o700);
      if (process.getuid?.() === 0) chownSync(backupFolder, 0, 0);
    }
  });

  test('a port in use: an error for serve, a warning for doctor, because the service itself may use it', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    configure(listenerChange(0, { port }));
    const subject = `listener tls 127.0.0.1:${port}`;
    expect(
      (await operatorSees()).filter(({ status }) => status === 'warn').map((finding) => finding.subject),
    ).toContain(subject);
    expect(await serviceSays()).toMatchObject({ starts: false, failures: [{ subject }] });
    expect(await composed()).toContain('EADDRINUSE');
    other.close();
    configure(() => undefined);
  });

  test('a file in the place of the socket', async () => {
    writeFileSync(at('in-the-way'), '');
    configure(listenerChange(1, { path: at('in-the-way') }));
    expect(await expectAgreement()).toMatchObject([{ check: 'listening', prevents: 'start' }]);
    configure(() => undefined);
    expect(existsSync(at('in-the-way'))).toBe(true);
  });

  test('a key that belongs to another certificate', async () => {
    const other = deployment.authority.issue({ commonName: 'other', usage: 'server' });
    configure(listenerChange(0, { key: other.keyPath }));
    expect(await expectAgreement()).toMatchObject([
      { check: 'tls-files', message: 'it is not the key of the server certificate' },
    ]);
    configure(() => undefined);
  });

  test('a failed key store and a refused PIN: the service starts, and reports both', async () => {
    const catalog = new Sqlite(at('catalog.sqlite'));
    catalog.exec(
      `insert into custom_key_stores values ('cks-1234567890abcdef0', '111122223333', 'eu-central-1', 'payments',
         'cluster-zyxwvutsrqp', '', 'seal-1', x'00', x'00', 1, 'FAILED', 'USER_LOCKED_OUT', 0);
       insert into login_attempts (token_serial_number, credential_version, state, claimed_date) values ('serial-1', 'cks-1234567890abcdef0:1', 'failed', 0)`,
    );
    configure((configuration) => {
      const [cluster] = configuration['clusters'] as Record<string, unknown>[];
      const second = {
        ...cluster,
        id: 'cluster-zyxwvutsrqp',
        name: 'second',
        members: [{ name: 'b', module: 'softhsm', tokenLabel: 'b' }],
      };
      Object.assign(configuration, { clusters: [cluster, second] });
    });
    const seen = await expectAgreement();
    expect(seen.map(({ check, subject, prevents }) => [check, subject, prevents])).toEqual([
      ['key-stores', 'key store payments', 'service'],
      ['key-stores', 'PIN of key store payments', 'service'],
    ]);
    catalog.exec('delete from custom_key_stores; delete from login_attempts');
    catalog.close();
    configure(() => undefined);
  });

  test('a catalog that another process holds', async () => {
    const other = new Sqlite(at('catalog.sqlite'));
    other.exec('begin immediate');
    const seen = failuresOf(await operatorSees());
    expect(seen).toMatchObject([
      { check: 'catalog', remedy: expect.stringContaining('until it takes changes') as string },
    ]);
    other.exec('rollback');
    other.close();
  });
});
