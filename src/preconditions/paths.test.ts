import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { systemClock } from '../clock-system.js';
import type { Configuration } from '../config/configuration.js';
import { exampleConfiguration } from '../config/example.js';
import { parseConfiguration } from '../config/load.js';
import { readSecrets } from '../config/secrets.js';
import { checkDescriptors } from './descriptors.js';
import type { Finding } from './finding.js';
import { preconditions } from './list.js';

/**
 * Every path of the configuration × every error that makes a path unusable although its file exists. None may be
 * reported as missing, with the advice to create it.
 */

let folder: string;
const nobody = 65_534;
const isRoot = process.geteuid?.() === 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-paths-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'closed'), { mode: 0o000 });
  writeFileSync(join(folder, 'file'), '');
  symlinkSync(join(folder, 'circle'), join(folder, 'circle'));
});

afterAll(() => {
  chmodSync(join(folder, 'closed'), 0o700);
  rmSync(folder, { recursive: true });
});

interface Tree {
  listeners: Record<string, string>[];
  modules: Record<string, Record<string, unknown>>;
  clusters: Record<string, string>[];
  defaultKeyStore: { pin: object };
  sealingKeys: { key: object }[];
  catalog: object;
  [name: string]: unknown;
}

/** The faults of a path; the expected remedy. */
const errors: Record<string, { name: string; remedy: RegExp }> = {
  'a folder that this user may not enter': { name: 'closed/x', remedy: /service's user/ },
  'a file as a folder': { name: 'file/x', remedy: /correct (the path|catalog\.path)/i },
  'links in a circle': { name: 'circle/x', remedy: /correct the link/i },
  'a name that is too long': { name: 'x'.repeat(256), remedy: /shorter/ },
};

/** A path of the configuration: the check that examines it, and how it is set. */
const places: Record<string, { check: string; set: (tree: Tree, path: string) => void }> = {
  'a library': { check: 'modules', set: (tree, path) => Object.assign(tree.modules['softhsm'] ?? {}, { path }) },
  'a variable of a module': {
    check: 'modules',
    set: (tree, path) => Object.assign(tree.modules['softhsm'] ?? {}, { environment: { SOFTHSM2_CONF: path } }),
  },
  'an unknown variable of a module': {
    check: 'modules',
    set: (tree, path) => Object.assign(tree.modules['softhsm'] ?? {}, { environment: { OTHER: path } }),
  },
  'the PIN': { check: 'secrets', set: (tree, file) => Object.assign(tree.defaultKeyStore, { pin: { file } }) },
  'a sealing key': {
    check: 'secrets',
    set: (tree, file) => Object.assign(tree.sealingKeys[0] ?? {}, { key: { file } }),
  },
  ...Object.fromEntries(
    ['certificate', 'key', 'clientCertificateAuthority', 'certificateRevocationList'].map((name) => [
      `the listener's ${name}`,
      {
        check: 'tls-files',
        set: (tree: Tree, path: string) => Object.assign(tree.listeners[0] ?? {}, { [name]: path }),
      },
    ]),
  ),
  'a trust anchor': {
    check: 'trust-anchors',
    set: (tree, path) => Object.assign(tree.clusters[0] ?? {}, { trustAnchorCertificate: path }),
  },
  'a socket': { check: 'listening', set: (tree, path) => Object.assign(tree.listeners[1] ?? {}, { path }) },
  'the lock directory': { check: 'lock-directory', set: (tree, path) => Object.assign(tree, { lockDirectory: path }) },
  'the audit log': { check: 'audit', set: (tree, file) => Object.assign(tree, { audit: { file } }) },
  'the catalog': { check: 'catalog', set: (tree, path) => Object.assign(tree.catalog, { path }) },
  'the folder of backups': {
    check: 'backup-folder',
    set: (tree, path) => Object.assign(tree, { backup: { folder: path } }),
  },
  'a catalog that may be made': {
    check: 'catalog',
    set: (tree, path) => Object.assign(tree.catalog, { path, create: true }),
  },
};

function configurationWith(change: (tree: Tree) => void): Configuration {
  const tree = parse(exampleConfiguration('cluster-abcdefghijk')) as Tree;
  change(tree);
  return parseConfiguration(stringify(tree, { aliasDuplicateObjects: false }), join(folder, 'holdfast.yaml'));
}

/** Works as the user of a service, not as root. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (isRoot) process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

async function findings(configuration: Configuration, check: string): Promise<Finding[]> {
  const secrets = await readSecrets(configuration, {});
  const found = preconditions.find(({ name }) => name === check);
  return (await found?.check({ configuration, secrets, now: systemClock.now(), asks: 'operator' })) ?? [];
}

describe.each(Object.entries(errors))('%s', (_, { name, remedy }) => {
  test.each(Object.entries(places))('%s', async (_place, { check, set }) => {
    const path = join(folder, name);
    const found = await asNobody(() =>
      findings(
        configurationWith((tree) => set(tree, path)),
        check,
      ),
    );
    const about = found.filter(({ subject, message }) => `${subject} ${message}`.includes(path));
    const other = found.filter((finding) => !about.includes(finding) && check === 'catalog');
    expect([about.length, other.length], JSON.stringify(found)).toEqual([1, 0]);
    expect(about[0]).toMatchObject({ status: 'fail', remedy: expect.stringMatching(remedy) as string });
    const { message = '', remedy: advice = '' } = about[0] ?? {};
    expect(`${message} ${advice}`).not.toMatch(
      /does not exist(?!: a part)|there is no|will be made|mkdir|chmod [46]00|restore/i,
    );
  });

  test('the configuration itself', async () => {
    const configuration = configurationWith(() => undefined);
    const path = join(folder, name);
    const found = await asNobody(() => findings({ ...configuration, path }, 'configuration-file'));
    expect(found).toMatchObject([{ status: 'fail', remedy: expect.stringMatching(remedy) as string }]);
  });
});

describe('an unknown state is only a warning', () => {
  test.each(Object.values(errors).map(({ name }) => name))('the disk of %s', async (name) => {
    const path = join(folder, name, 'x');
    const configuration = configurationWith((tree) => Object.assign(tree.catalog, { path }));
    const found = await asNobody(() => findings(configuration, 'disk'));
    expect(found).toMatchObject([
      { status: 'warn', message: expect.stringContaining('its free space is unknown') as string },
      {},
    ]);
  });

  test('file descriptors when /proc is not mounted', async () => {
    const configuration = configurationWith(() => undefined);
    const secrets = await readSecrets(configuration, {});
    const surroundings = { configuration, secrets, now: systemClock.now(), asks: 'operator' } as const;
    expect(await checkDescriptors(surroundings, '/nonexistent/limits')).toMatchObject([{ status: 'warn' }]);
  });
});
