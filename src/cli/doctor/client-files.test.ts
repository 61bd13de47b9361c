import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { CertificateAuthority, issueServerCertificate } from '../../../test/certificates.js';
import { holdfast } from '../../../test/cli/session.js';
import { exampleConfiguration } from '../../config/example.js';
import { loadConfiguration } from '../../config/load.js';
import { readSecrets } from '../../config/secrets.js';
import { checkTlsFiles } from '../../preconditions/tls-files.js';

/** The opinion of `config check` on the files of client authorities, compared with those of `doctor` and `serve`. */

const folder = mkdtempSync(join(tmpdir(), 'holdfast-client-files-'));
const [file, authorityFile, listFile] = ['holdfast.yaml', 'ca.pem', 'crl.pem'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const made: CertificateAuthority[] = [];
const make = (options: ConstructorParameters<typeof CertificateAuthority>[0] = {}): CertificateAuthority => {
  const authority = new CertificateAuthority(options);
  made.push(authority);
  return authority;
};

const good = make();
const stranger = make('Another authority');
const server = issueServerCertificate(good);
afterAll(() => {
  for (const authority of made) authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  for (const path of [authorityFile, listFile]) rmSync(path, { force: true });
  const tree = parse(exampleConfiguration('cluster-abcdefghijk')) as { listeners: object[] };
  Object.assign(tree.listeners[0] ?? {}, {
    certificate: server.certificatePath,
    key: server.keyPath,
    clientCertificateAuthority: authorityFile,
    certificateRevocationList: listFile,
  });
  writeFileSync(file, stringify(tree, { aliasDuplicateObjects: false }));
});

const [aboutAuthority, aboutLists] = ['clientCertificateAuthority', 'certificateRevocationList'].map(
  (key) => `listeners[0].${key}: `,
) as [string, string];

interface Case {
  authority?: () => Buffer | string;
  lists?: () => Buffer | string;
  /** The beginnings of the expected lines. */
  problems: string[];
}

const cases: Record<string, Case> = {
  'an authority and its list, both valid': { problems: [] },
  "a server's certificate in the place of an authority": {
    authority: () => server.certificate,
    problems: [`${aboutAuthority}CN=localhost: its key usage does not allow it to sign certificates`],
  },
  'an authority that may not sign': {
    authority: () =>
      make({ extensions: ['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, cRLSign'] }).certificate,
    problems: [`${aboutAuthority}CN=Holdfast test authority: its key usage does not allow it to sign certificates`],
  },
  'an authority that has expired': {
    authority: () => make({ validity: 'past' }).certificate,
    problems: [`${aboutAuthority}CN=Holdfast test authority: it expired on 2020-01-02`],
  },
  'an authority that is not valid yet': {
    authority: () => make({ validity: 'future' }).certificate,
    problems: [`${aboutAuthority}CN=Holdfast test authority: it is not valid before 2049-01-01`],
  },
  'an intermediate authority without its root': {
    authority: () => make({ name: 'Below', issuer: stranger }).certificate,
    problems: [`${aboutAuthority}CN=Below: the file does not have the authority that issued it`],
  },
  'a list that has ended': {
    lists: () => good.revocationList('past'),
    problems: [
      `${aboutAuthority}CN=Holdfast test authority: its revocation list ended on 2020-01-02`,
      `${aboutLists}the list of CN=Holdfast test authority ended on 2020-01-02`,
    ],
  },
  'a list that is not valid yet': {
    lists: () => good.revocationList('future'),
    problems: [
      `${aboutAuthority}CN=Holdfast test authority: its revocation list is not valid before 2049-01-01`,
      `${aboutLists}the list of CN=Holdfast test authority is not valid before 2049-01-01`,
    ],
  },
  'a list of another authority': {
    lists: () => stranger.revocationList(),
    problems: [`${aboutAuthority}CN=Holdfast test authority: there is no revocation list that it issued`],
  },
  // One valid authority lets its clients in, so doctor only warns.
  'an expired authority beside a valid one': {
    authority: () => Buffer.concat([make({ name: 'Old', validity: 'past' }).certificate, good.certificate]),
    problems: [],
  },
  'an ended list beside its successor': {
    lists: () => Buffer.concat([good.revocationList('past'), good.revocationList()]),
    problems: [],
  },
  'an authority file that is not PEM': {
    authority: () => 'no such thing',
    problems: [`${aboutAuthority}it contains no certificate in PEM`],
  },
  'a list file without a list': {
    lists: () => 'no such thing',
    problems: [`${aboutLists}it cannot be used: it contains no list`],
  },
};

test.each(Object.entries(cases))(
  '%s: config check and doctor say the same',
  async (_, { authority, lists, problems }) => {
    writeFileSync(authorityFile, authority?.() ?? good.certificate);
    writeFileSync(listFile, lists?.() ?? good.revocationList());
    const checked = await holdfast(['config', 'check', file]);
    const lines = checked.stdout.split('\n').filter((line) => line.startsWith('listeners'));
    expect(lines).toEqual(problems.map((beginning) => expect.stringContaining(beginning) as string));
    expect(checked.exitCode).toBe(problems.length === 0 ? 0 : 5);
    const configuration = await loadConfiguration(file);
    const secrets = await readSecrets(configuration, {});
    const findings = await checkTlsFiles({ configuration, secrets, now: new Date(), asks: 'operator' });
    const failures = findings.filter(({ status }) => status === 'fail');
    expect(lines.map((line) => line.replace(/^\S+: /, ''))).toEqual(
      failures.map(({ message, remedy }) => `${message} (${remedy ?? ''})`),
    );
  },
);

/** A missing file is not a problem of the configuration; a file that is wrong on every machine is one. */
test('missing files are left to doctor, and do not hide problems of the others', async () => {
  const check = () => holdfast(['config', 'check', file]);
  expect(await check()).toMatchObject({ exitCode: 0 });
  writeFileSync(authorityFile, server.certificate);
  expect(await check()).toMatchObject({ exitCode: 5, stdout: expect.stringContaining('no') as string });
  writeFileSync(authorityFile, good.certificate);
  expect(await check()).toMatchObject({ exitCode: 0 });
  symlinkSync(listFile, listFile);
  expect(await check()).toMatchObject({
    exitCode: 5,
    stdout: expect.stringContaining('is a symbolic link that leads in a circle') as string,
  });
});
