/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-assignment -- the tests break the file in every way, which no type describes */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { exampleConfiguration } from './example.js';
import { loadConfiguration, parseConfiguration } from './load.js';
import { clusterIdPattern } from './schema.js';
import { newClusterId } from './new-id.js';
import { ConfigurationError, closestName, formatPath } from './problem.js';

const file = '/etc/holdfast/holdfast.yaml';
const clusterId = 'cluster-abcdefghijk';
const otherClusterId = 'cluster-zyxwvutsrqp';

type Tree = any;

/** The example, changed by `change`, as YAML. */
function changed(change: (tree: Tree) => void): string {
  const tree = parse(exampleConfiguration(clusterId));
  change(tree);
  return stringify(tree, { aliasDuplicateObjects: false });
}

function problemsOf(text: string): string[] {
  try {
    parseConfiguration(text, file);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('modules that use one library', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-modules-'));
  const library = join(folder, 'lib.so');
  writeFileSync(library, '');
  symlinkSync(library, join(folder, 'symbolic.so'));
  linkSync(library, join(folder, 'hard.so'));
  writeFileSync(join(folder, 'another.so'), '');
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const two = (path: string, change: object) =>
    changed((t) => {
      t.modules.softhsm = { path: library, privateInstance: false, environment: { A: '1', B: '2' } };
      t.modules.again = { ...t.modules.softhsm, path, ...change };
    });
  const names = ['lib.so', 'symbolic.so', 'hard.so', '../' + basename(folder) + '/lib.so'];

  test.each(names)('are detected under the name %s', (name) => {
    const path = join(folder, name);
    expect(problemsOf(two(path, { environment: { A: '1' } }))).toEqual([
      expect.stringMatching(/^modules\.again: is the library of modules\.softhsm with another environment \(B\)/),
    ]);
    const text = changed((t) => {
      twoClusters(t);
      t.modules.softhsm.path = library;
      t.modules.again = { ...t.modules.softhsm, path };
      Object.assign(t.clusters[1].members[0], { tokenLabel: 'holdfast', module: 'again' });
    });
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^clusters\[1\]\.members\[0\]: is the same as/)]);
  });

  test('may differ if each has its own instance, and share one if they are alike', () => {
    expect(problemsOf(two(library, { environment: {}, privateInstance: true }))).toEqual([]);
    expect(problemsOf(two(library, { environment: { B: '2', A: '1' } }))).toEqual([]);
    expect(problemsOf(two(join(folder, 'another.so'), { environment: {} }))).toEqual([]);
  });
});

describe('a valid configuration', () => {
  test('a user may be given an alias of every form that an alias can have', () => {
    const aliases = ['alias/a', 'alias/team:payments/2026_a-B', `alias/${'a'.repeat(250)}`];
    expect(problemsOf(changed((tree) => (tree.principals.users[0].keys = aliases)))).toEqual([]);
  });

  test('the printed example loads, and every path is absolute', () => {
    const configuration = parseConfiguration(exampleConfiguration(clusterId), file);
    expect(configuration.listeners[0]).toMatchObject({
      kind: 'tls',
      certificate: '/etc/holdfast/server.pem',
      certificateRevocationList: null,
    });
    expect(configuration.listeners[1]).toEqual({
      kind: 'unix',
      path: '/etc/holdfast/holdfast.sock',
      principal: 'local-operator',
    });
    expect(configuration.modules).toEqual([
      {
        name: 'softhsm',
        path: '/usr/lib/softhsm/libsofthsm2.so',
        environment: { SOFTHSM2_CONF: '/etc/holdfast/softhsm2.conf' },
        privateInstance: true,
        initializationString: null,
        profile: 'auto',
        profileOverrides: {
          gcmNonce: null,
          maximumGcmBytes: null,
          sessionHeadroom: null,
          maximumSessions: null,
          ceremony: null,
          generationMark: null,
          generatedPin: null,
        },
      },
    ]);
    expect(configuration.defaultKeyStore).toEqual({
      cluster: clusterId,
      pin: { kind: 'file', path: '/etc/holdfast/pin' },
    });
    expect(configuration.principals.map(({ name, role, account }) => [name, role, account])).toEqual([
      ['operator', 'administrator', '111122223333'],
      ['local-operator', 'administrator', '111122223333'],
      ['payments', 'user', '111122223333'],
    ]);
    expect(configuration.catalog.path).toBe('/etc/holdfast/catalog.sqlite');
  });

  test('optional settings have the defaults that the example shows', () => {
    const shown = parseConfiguration(exampleConfiguration(clusterId), file);
    const text = changed((tree) => {
      delete tree.limits;
      delete tree.recovery;
      delete tree.telemetry;
      delete tree.clusters[0].maximumPinLength;
      delete tree.clusters[0].members[0].lanes;
      delete tree.modules.softhsm.privateInstance;
      delete tree.modules.softhsm.profile;
    });
    expect(parseConfiguration(text, file)).toEqual(shown);
  });

  test('metrics and traces are off by default, and have defaults once turned on', () => {
    expect(
      parseConfiguration(
        changed(() => undefined),
        file,
      ).telemetry,
    ).toMatchObject({ metrics: null, tracing: null });
    const on = changed((tree) => {
      tree.telemetry.metrics = { port: 9464 };
      tree.telemetry.tracing = { endpoint: 'http://[::1]:4318/v1/traces', headers: { authorization: { file: 't' } } };
    });
    expect(parseConfiguration(on, file).telemetry).toEqual({
      logLevel: 'info',
      metrics: { address: '127.0.0.1', port: 9464 },
      tracing: {
        endpoint: 'http://[::1]:4318/v1/traces',
        sampleRatio: 0.01,
        followCallers: true,
        headers: [{ name: 'authorization', value: { kind: 'file', path: '/etc/holdfast/t' } }],
      },
      otlpMetrics: null,
      otlpLogs: null,
      serviceName: 'holdfast',
      environment: false,
    });
  });

  test('by default only SoftHSM gets a private module instance', () => {
    const other = changed((tree) => (tree.modules.softhsm.path = 'lib/libCryptoki2.so'));
    expect(parseConfiguration(other, file).modules[0]).toMatchObject({
      path: '/etc/holdfast/lib/libCryptoki2.so',
      privateInstance: false,
    });
    const forced = changed((tree) => (tree.modules.softhsm.privateInstance = false));
    expect(parseConfiguration(forced, file).modules[0]).toMatchObject({ privateInstance: false });
  });

  test('the profile says whether a module is SoftHSM if its name does not', () => {
    const shim = changed((tree) => {
      tree.modules.softhsm.path = 'lib/shim.so';
      tree.modules.softhsm.profile = 'softhsm';
    });
    expect(parseConfiguration(shim, file).modules[0]).toMatchObject({ privateInstance: true, profile: 'softhsm' });
    const other = changed((tree) => (tree.modules.softhsm.profile = 'generic'));
    expect(parseConfiguration(other, file).modules[0]).toMatchObject({ privateInstance: false });
  });

  test('single values of a profile may be overridden', () => {
    const overrides = { gcmNonce: 'token', maximumGcmBytes: 16_224, sessionHeadroom: 0 };
    const text = changed((tree) => (tree.modules.softhsm.profileOverrides = overrides));
    expect(parseConfiguration(text, file).modules[0]?.profileOverrides).toEqual({
      ...overrides,
      maximumSessions: null,
      ceremony: null,
      generationMark: null,
      generatedPin: null,
    });
    const wrong = changed((tree) => (tree.modules.softhsm.profileOverrides = { gcmNonce: 'counter' }));
    expect(() => parseConfiguration(wrong, file)).toThrow(/profileOverrides\.gcmNonce.*token-rng or token/);
    const former = changed((tree) => (tree.modules.softhsm.profileOverrides = { wrongTagCodes: [0x40] }));
    expect(() => parseConfiguration(former, file)).toThrow(/modules\.softhsm\.profileOverrides.*wrongTagCodes/);
    const unknown = changed((tree) => (tree.modules.softhsm.profile = 'yubihsm'));
    expect(() => parseConfiguration(unknown, file)).toThrow(/modules\.softhsm\.profile.*one of auto, softhsm/);
  });

  test('lanes are a number or auto; quota and hedging are off by default', () => {
    const set = changed((tree) => {
      tree.clusters[0].members[0].lanes = 12;
      tree.clusters[0].operationsPerSecond = 1_800;
      tree.clusters[0].hedging = true;
    });
    const [cluster] = parseConfiguration(set, file).clusters;
    expect(cluster).toMatchObject({ operationsPerSecond: 1_800, hedging: true, members: [{ lanes: 12 }] });
    const [asShown] = parseConfiguration(exampleConfiguration(clusterId), file).clusters;
    expect(asShown).toMatchObject({ operationsPerSecond: null, hedging: false, members: [{ lanes: null }] });
  });

  test('secrets come from a file, the environment or a command', () => {
    const text = changed((tree) => {
      tree.defaultKeyStore.pin = { env: 'PIN' };
      tree.sealingKeys[0].key = { command: ['vault', 'read'] };
    });
    const configuration = parseConfiguration(text, file);
    expect(configuration.defaultKeyStore?.pin).toEqual({ kind: 'env', name: 'PIN' });
    expect(configuration.sealingKeys[0]?.key).toEqual({ kind: 'command', argv: ['vault', 'read'] });
  });

  test('certificate matches are normalised', () => {
    const digest = Array.from({ length: 32 }, () => 'AB').join(':');
    const text = changed((tree) => {
      tree.principals.users[0].certificate = { sha256: digest };
      tree.principals.administrators[0].certificate = { dns: 'Operator.Example.COM' };
    });
    const [operator, , payments] = parseConfiguration(text, file).principals;
    expect(payments?.certificate).toEqual({ kind: 'sha256', value: 'ab'.repeat(32) });
    expect(operator?.certificate).toEqual({ kind: 'dns', value: 'operator.example.com' });
  });
});

const twoClusters = (tree: Tree): void => {
  tree.clusters.push({ ...structuredClone(tree.clusters[0]), id: otherClusterId, name: 'second' });
  tree.clusters[1].members[0].tokenLabel = 'other';
};

/** The change of the example, and the one problem that must be reported. */
const wrong: [what: string, change: (tree: Tree) => void, problem: string | RegExp][] = [
  [
    'an unknown key',
    (t) => ((t.clusters[0].membrs = []), delete t.clusters[0].nothing),
    'clusters[0].membrs: unknown key; did you mean members?',
  ],
  [
    'a recovery member with the name of another',
    (t) => (
      (t.clusters[0].replication = 'wrapped'),
      (t.clusters[0].recoveryMembers = [{ ...t.clusters[0].members[0], tokenLabel: 'far' }])
    ),
    'clusters[0].recoveryMembers[0].name: is the same as clusters[0].members[0].name; each must be unique',
  ],
  [
    'the token of a member for recovery',
    (t) => (
      (t.clusters[0].replication = 'wrapped'),
      (t.clusters[0].recoveryMembers = [{ ...t.clusters[0].members[0], name: 'far' }])
    ),
    /^clusters\[0\]\.recoveryMembers\[0\].*clusters\[0\]\.members\[0\]/,
  ],
  [
    'a recovery member of a cluster without wrapping keys',
    (t) => (t.clusters[0].recoveryMembers = [{ ...t.clusters[0].members[0], name: 'far', tokenLabel: 'far' }]),
    'clusters[0].recoveryMembers: is only for replication: wrapped: no other member could open a backup of other clusters',
  ],
  ['an unknown key like no other', (t) => (t.zzzzzzzz = 1), /^zzzzzzzz: unknown key; known here: version, identity, /],
  [
    'an unknown key in a listener',
    (t) => (t.listeners[0].cert = 'x'),
    /^listeners\[0\]\.cert: unknown key; known here: kind/,
  ],
  ['another version', (t) => (t.version = 2), 'version: must be 1'],
  ['no version', (t) => delete t.version, 'version: is required'],
  ['a missing section', (t) => delete t.catalog, 'catalog: is required'],
  ['an empty section', (t) => (t.catalog = null), 'catalog: must be a section with keys, not empty'],
  ['a list for a section', (t) => (t.audit = []), 'audit: must be a section with keys, not a list'],
  [
    'an account without quotes',
    (t) => (t.identity.accounts = [111122223333]),
    /^identity\.accounts\[0\]: must be in quotation marks/,
  ],
  ['a short account', (t) => (t.identity.accounts[0] = '123'), /^identity\.accounts\[0\]: must be twelve digits/],
  ['no accounts', (t) => (t.identity.accounts = []), 'identity.accounts: must have at least one account'],
  [
    'an account twice',
    (t) => t.identity.accounts.push('111122223333'),
    'identity.accounts[1]: is the same as identity.accounts[0]; each must be unique',
  ],
  [
    'a listener without a kind',
    (t) => (t.listeners[0] = { kind: 'http' }),
    'listeners[0].kind: must be one of tls, unix, plaintext',
  ],
  ['a port out of range', (t) => (t.listeners[0].port = 65_536), 'listeners[0].port: must be at most 65535'],
  [
    'a port that is text',
    (t) => (t.listeners[0].port = '7443'),
    'listeners[0].port: must be a whole number from 0 to 65535',
  ],
  [
    'plaintext on a host name, which the listener refuses',
    (t) => (t.listeners[0] = { kind: 'plaintext', address: 'localhost', port: 1, principal: 'operator' }),
    /^listeners\[0\]\.address: plaintext is for loopback only/,
  ],
  [
    'plaintext on a non-loopback address',
    (t) => (t.listeners[0] = { kind: 'plaintext', address: '0.0.0.0', port: 1, principal: 'operator' }),
    /^listeners\[0\]\.address: plaintext is for loopback only/,
  ],
  [
    'an unknown socket principal',
    (t) => (t.listeners[1].principal = 'local-operater'),
    'listeners[1].principal: there is no principal "local-operater"; did you mean local-operator?',
  ],
  [
    'two listeners in one place',
    (t) => t.listeners.push(t.listeners[0]),
    'listeners[2]: is the same as listeners[0]; each must be unique',
  ],
  [
    'no administrator',
    (t) => {
      t.principals.administrators = [];
      t.listeners.pop();
    },
    /^principals\.administrators: must have at least one entry/,
  ],
  [
    'a name in both lists',
    (t) => (t.principals.users[0].name = 'operator'),
    'principals.users[0].name: is the same as principals.administrators[0].name; each must be unique',
  ],
  [
    'one certificate for two principals',
    (t) => (t.principals.users[0].certificate = { commonName: 'holdfast-operator' }),
    'principals.users[0].certificate: is the same as principals.administrators[0].certificate: one certificate would be two principals',
  ],
  [
    'two ways to match',
    (t) => (t.principals.users[0].certificate.dns = 'a.b'),
    'principals.users[0].certificate: must have exactly one of commonName, uri, dns and sha256',
  ],
  [
    'another account',
    (t) => (t.principals.users[0].account = '999999999999'),
    'principals.users[0].account: "999999999999" is not one of identity.accounts',
  ],
  [
    'an invalid key',
    (t) => (t.principals.users[0].keys = ['payments']),
    'principals.users[0].keys[0]: must be a key id (a UUID), a key ARN, or an alias (alias/…)',
  ],
  [
    'an invalid alias',
    (t) => (t.principals.users[0].keys = ['alias/a b']),
    /^principals\.users\[0\]\.keys\[0\]: an alias is/,
  ],
  [
    'a key of another region',
    (t) =>
      (t.principals.users[0].keys = ['arn:aws:kms:eu-west-1:111122223333:key/6ba7b810-9dad-11d1-80b4-00c04fd430c8']),
    /begins with arn:aws:kms:eu-central-1:111122223333:key\//,
  ],
  ['a module without a path', (t) => delete t.modules.softhsm.path, 'modules.softhsm.path: is required'],
  [
    'an environment name',
    (t) => (t.modules.softhsm.environment = { 'A-B': '1' }),
    /^modules\.softhsm\.environment\["A-B"\]|^modules\.softhsm\.environment\.A-B: this name must be/,
  ],
  [
    'privateInstance',
    (t) => (t.modules.softhsm.privateInstance = 'yes'),
    'modules.softhsm.privateInstance: must be true, false or auto',
  ],
  [
    'a cluster id',
    (t) => {
      t.clusters[0].id = 'cluster-1';
    },
    /^clusters\[0\]\.id: must look like cluster-1a2b3c4d5e6/,
  ],
  [
    'a cluster id twice',
    (t) => {
      twoClusters(t);
      t.clusters[1].id = clusterId;
    },
    'clusters[1].id: is the same as clusters[0].id; each must be unique',
  ],
  [
    'a cluster name twice',
    (t) => {
      twoClusters(t);
      t.clusters[1].name = 'main';
    },
    'clusters[1].name: is the same as clusters[0].name; each must be unique',
  ],
  [
    'a token twice',
    (t) => {
      twoClusters(t);
      t.clusters[1].members[0].tokenLabel = 'holdfast';
    },
    'clusters[1].members[0]: is the same as clusters[0].members[0]: a token belongs to one member of one cluster',
  ],
  [
    'a token twice, with the variables in another order',
    (t) => {
      twoClusters(t);
      t.modules.softhsm.environment = { A: '1', B: '2' };
      t.modules.again = { ...t.modules.softhsm, environment: { B: '2', A: '1' } };
      t.clusters[1].members[0].tokenLabel = 'holdfast';
      t.clusters[1].members[0].module = 'again';
    },
    /^clusters\[1\]\.members\[0\]: is the same as/,
  ],
  [
    'one library with two environments, shared',
    (t) => {
      t.modules.softhsm.privateInstance = false;
      t.modules.again = { ...t.modules.softhsm, environment: { SOFTHSM2_CONF: 'other.conf' } };
    },
    'modules.again: is the library of modules.softhsm with another environment (SOFTHSM2_CONF), and a process has one instance of a library: set privateInstance: true on one of the two, or make them alike',
  ],
  [
    'one library with an empty variable and with none, shared',
    (t) => {
      t.modules.softhsm.privateInstance = false;
      t.modules.again = { ...t.modules.softhsm, environment: { ...t.modules.softhsm.environment, EMPTY: '' } };
    },
    /^modules\.again: is the library of modules\.softhsm with another environment \(EMPTY\)/,
  ],
  [
    'one library with two initialisation strings, shared',
    (t) => {
      t.modules.softhsm.privateInstance = false;
      t.modules.again = { ...t.modules.softhsm, initializationString: 'x' };
    },
    /^modules\.again: is the library of modules\.softhsm with another initializationString, /,
  ],
  [
    'a token twice, by two names of one module',
    (t) => {
      twoClusters(t);
      t.modules.again = t.modules.softhsm;
      t.clusters[1].members[0].tokenLabel = 'holdfast';
      t.clusters[1].members[0].module = 'again';
    },
    /^clusters\[1\]\.members\[0\]: is the same as/,
  ],
  [
    'two members without replication',
    (t) => t.clusters[0].members.push({ ...t.clusters[0].members[0], name: 'b', tokenLabel: 'b' }),
    /^clusters\[0\]\.members: replication none is for exactly one member/,
  ],
  [
    'one member, undeclared',
    (t) => delete t.clusters[0].minimumMembers,
    /^clusters\[0\]\.minimumMembers: is 2 .* Write minimumMembers: 1/,
  ],
  [
    'a kind of replication',
    (t) => (t.clusters[0].replication = 'mirrored'),
    'clusters[0].replication: must be one of none, wrapped, vendor',
  ],
  [
    'trust of a cluster without wrapping keys',
    (t) => (t.clusters[0].trust = 'enforced'),
    'clusters[0].trust: is only for replication: wrapped: other clusters have no wrapping keys',
  ],
  [
    'a kind of trust',
    (t) => Object.assign(t.clusters[0], { replication: 'wrapped', trust: 'blind' }),
    'clusters[0].trust: must be one of enforced, unenforced',
  ],
  [
    'a ceremony that there is not',
    (t) => (t.modules.softhsm.profileOverrides = { ceremony: 'none' }),
    'modules.softhsm.profileOverrides.ceremony: must be one of so-made, user-made-then-marked, unsupported',
  ],
  [
    'a form of marks that there is not',
    (t) => (t.modules.softhsm.profileOverrides = { generationMark: 'file' }),
    'modules.softhsm.profileOverrides.generationMark: must be data-object or public-key',
  ],
  [
    'more members than a pool can have',
    (t) => {
      const one = t.clusters[0].members[0];
      const members = Array.from({ length: 65 }, (_, index) => ({
        ...one,
        name: `m${index}`,
        tokenLabel: `t${index}`,
      }));
      Object.assign(t.clusters[0], { replication: 'wrapped', members });
    },
    'clusters[0].members: has 65 members; a cluster has at most 64',
  ],
  [
    'more members at least than there are',
    (t) => Object.assign(t.clusters[0], { replication: 'wrapped', minimumMembers: 3 }),
    /^clusters\[0\]\.minimumMembers: is 3 .* Write minimumMembers: 1/,
  ],
  [
    'an unknown module',
    (t) => (t.clusters[0].members[0].module = 'softhms'),
    'clusters[0].members[0].module: there is no module "softhms" under modules; did you mean softhsm?',
  ],
  [
    'a member without a token',
    (t) => delete t.clusters[0].members[0].tokenLabel,
    'clusters[0].members[0]: must have exactly one of tokenLabel and tokenSerialNumber',
  ],
  [
    'two tokens',
    (t) => (t.clusters[0].members[0].tokenSerialNumber = '1'),
    'clusters[0].members[0]: must have exactly one of tokenLabel and tokenSerialNumber',
  ],
  [
    'an unknown default cluster',
    (t) => (t.defaultKeyStore.cluster = 'cluster-abcdefghijl'),
    /^defaultKeyStore\.cluster: there is no cluster .*; did you mean cluster-abcdefghijk\?/,
  ],
  [
    'a PIN in the file',
    (t) => (t.defaultKeyStore.pin = '1234567'),
    'defaultKeyStore.pin: must be a section with keys, not text',
  ],
  [
    'no source of a secret',
    (t) => (t.defaultKeyStore.pin = {}),
    /^defaultKeyStore\.pin: must have exactly one of file, env and command/,
  ],
  [
    'two sources of a secret',
    (t) => (t.defaultKeyStore.pin = { file: 'a', env: 'B' }),
    /^defaultKeyStore\.pin: must have exactly one of file, env and command/,
  ],
  ['a catalog of another kind', (t) => (t.catalog.kind = 'postgres'), /^catalog\.kind: must be sqlite/],
  ['no sealing key', (t) => (t.sealingKeys = []), 'sealingKeys: must have at least one sealing key'],
  [
    'a sealing key id twice',
    (t) => t.sealingKeys.push(t.sealingKeys[0]),
    'sealingKeys[1].id: is the same as sealingKeys[0].id; each must be unique',
  ],
  ['a fraction', (t) => (t.limits.queueLimit = 1.5), 'limits.queueLimit: must be a whole number from 1 to 100000'],
  ['a limit of zero', (t) => (t.limits.queueLimit = 0), 'limits.queueLimit: must be at least 1'],
  [
    'an operation as long as a request',
    (t) => (t.limits.operationTimeoutMs = 10_000),
    /^limits\.operationTimeoutMs: must be shorter than requestTimeoutMs/,
  ],
  [
    'a first pause longer than the maximum',
    (t) => (t.recovery.probeDelayMs = 40_000),
    'recovery.probeDelayMs: must not be longer than maximumProbeDelayMs (30000)',
  ],
  [
    'a share above 100 %',
    (t) => (t.recovery.failurePercentage = 101),
    'recovery.failurePercentage: must be at most 100',
  ],
  ['an invalid flag', (t) => (t.recovery.replaceWhenStuck = 'yes'), 'recovery.replaceWhenStuck: must be true or false'],
  ['an unknown setting', (t) => (t.recovery.replaceWhenHung = true), /^recovery\.replaceWhenHung: unknown key/],
  ['a log level', (t) => (t.telemetry.logLevel = 'loud'), /^telemetry\.logLevel: must be one of trace, debug/],
  [
    'metrics for others',
    (t) => (t.telemetry.metrics = { address: '0.0.0.0', port: 9464 }),
    /^telemetry\.metrics\.address: must be a loopback address/,
  ],
  [
    'metrics on a name',
    (t) => (t.telemetry.metrics = { address: 'localhost', port: 9464 }),
    /^telemetry\.metrics\.address: must be a loopback address/,
  ],
  ['metrics without a port', (t) => (t.telemetry.metrics = {}), 'telemetry.metrics.port: is required'],
  [
    'metrics on the port of a listener',
    (t) => (t.telemetry.metrics = { port: 7443 }),
    'telemetry.metrics.port: is the port of listeners[0]',
  ],
  [
    'traces in clear to another machine',
    (t) => (t.telemetry.tracing = { endpoint: 'http://collector.example:4318/v1/traces' }),
    /^telemetry\.tracing\.endpoint: must be https, except on a loopback address/,
  ],
  [
    'metrics in clear to another machine',
    (t) => (t.telemetry.otlpMetrics = { endpoint: 'http://collector.example:4318/v1/metrics' }),
    /^telemetry\.otlpMetrics\.endpoint: must be https, except on a loopback address/,
  ],
  [
    'the log in clear to another machine',
    (t) => (t.telemetry.otlpLogs = { endpoint: 'http://collector.example:4318/v1/logs' }),
    /^telemetry\.otlpLogs\.endpoint: must be https, except on a loopback address/,
  ],
  [
    'a password in the address for traces',
    (t) => (t.telemetry.tracing = { endpoint: 'https://user:password@collector.example/v1/traces' }),
    'telemetry.tracing.endpoint: must be an http or https URL without user and password',
  ],
  [
    'more than all requests traced',
    (t) => (t.telemetry.tracing = { endpoint: 'https://collector.example/v1/traces', sampleRatio: 1.5 }),
    'telemetry.tracing.sampleRatio: must be at most 1',
  ],
  [
    'a header that is not a secret source',
    (t) => (t.telemetry.tracing = { endpoint: 'https://collector.example', headers: { authorization: 'token' } }),
    /^telemetry\.tracing\.headers\.authorization: must be a section/,
  ],
  ['an empty path', (t) => (t.audit.file = ''), 'audit.file: must not be empty'],
];

describe('an invalid configuration', () => {
  test.each(wrong)('%s', (_, change, problem) => {
    const problems = problemsOf(changed(change));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(typeof problem === 'string' ? new RegExp(`^${escape(problem)}$`) : problem);
  });

  test('all problems are reported at once', () => {
    const problems = problemsOf(
      changed((tree) => {
        tree.version = 2;
        tree.identity.region = '';
        tree.clusters[0].membrs = [];
        tree.clusters[0].memberz = [];
        delete tree.audit;
      }),
    );
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining(['version', 'identity.region', 'clusters[0].membrs', 'clusters[0].memberz', 'audit']),
    );
    expect(problems).toHaveLength(5);
  });

  test.each([
    ['a key twice', `${exampleConfiguration(clusterId)}\nversion: 1\n`, /YAML: Map keys must be unique/],
    ['not YAML', 'a: [1', /YAML: /],
    ['a tag', `${exampleConfiguration(clusterId)}\nlockDirectory: !!js/function x\n`, /YAML: Unresolved tag/],
    ['an alias', 'a: &a [1]\nb: *a\n', /YAML: .*alias/i],
    ['__proto__ as a module', 'modules:\n  __proto__: {}\n', /YAML: __proto__ is not a name/],
    ['two documents', 'a: 1\n---\nb: 1\n', /YAML: /],
    ['nothing', '', /must be a section with keys/],
  ])('%s', (_, text, message) => {
    expect(problemsOf(text)[0]).toMatch(message);
  });

  function escape(text: string): string {
    return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  }
});

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a file is read, and relative paths start at its folder', async () => {
    const path = join(folder, 'holdfast.yaml');
    writeFileSync(path, exampleConfiguration());
    const configuration = await loadConfiguration(path);
    expect(configuration.path).toBe(path);
    expect(configuration.audit.file).toBe(join(folder, 'audit.log'));
  });

  test.each([
    ['missing', 'none.yaml', /does not exist; `holdfast config print-example`/],
    ['a folder', '.', /cannot be read/],
    ['not UTF-8', 'latin1.yaml', /cannot be read/],
    ['huge', 'huge.yaml', /cannot be read: it has/],
    ['a named pipe, which nobody writes to', 'pipe.yaml', /cannot be read: it is not a file/],
  ])('%s', async (_, name, message) => {
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0xe4]));
    writeFileSync(join(folder, 'huge.yaml'), ' '.repeat(5_000_000));
    if (!existsSync(join(folder, 'pipe.yaml'))) execFileSync('mkfifo', [join(folder, 'pipe.yaml')]);
    await expect(loadConfiguration(join(folder, name))).rejects.toThrow(message);
    await expect(loadConfiguration(join(folder, name))).rejects.toBeInstanceOf(ConfigurationError);
  });
});

describe('the only error is ConfigurationError, whatever the file contains', () => {
  const typedOnly = (text: string): void => {
    try {
      parseConfiguration(text, file);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError);
      expect((error as ConfigurationError).problems.length).toBeGreaterThan(0);
    }
  };

  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), typedOnly), { numRuns: 500 });
  });

  test('any value in any place of the example', () => {
    const places: (string | number)[][] = [];
    const walk = (node: unknown, path: (string | number)[]): void => {
      if (path.length > 0) places.push(path);
      if (Array.isArray(node)) node.forEach((child, index) => walk(child, [...path, index]));
      else if (typeof node === 'object' && node !== null)
        for (const [key, child] of Object.entries(node)) walk(child, [...path, key]);
    };
    walk(parse(exampleConfiguration(clusterId)), []);
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.boolean(),
      fc.array(fc.string(), { maxLength: 2 }),
      fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), value, (path, replacement) => {
        typedOnly(
          changed((tree) => {
            const parent = path.slice(0, -1).reduce((node: Tree, key) => node[key], tree);
            parent[path.at(-1) as string] = replacement;
          }),
        );
      }),
      { numRuns: 500 },
    );
  });
});

test('new ids fit the model', () => {
  for (let round = 0; round < 50; round++) expect(newClusterId()).toMatch(clusterIdPattern);
  expect(newClusterId()).not.toBe(newClusterId());
});

test('paths and suggestions', () => {
  expect(formatPath(['modules', 'a b', 0, 'x-y'])).toBe('modules["a b"][0].x-y');
  expect(closestName('catlog', ['catalog', 'clusters'])).toBe('catalog');
  expect(closestName('x', ['catalog'])).toBeUndefined();
});
