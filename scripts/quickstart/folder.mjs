/** The quickstart's data folder: tokens, PINs, certificates, configuration. Each is made once, and completely. */
import { createPublicKey, randomBytes, randomInt, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute, StepFailure } from '../steps.mjs';
import { findSoftHsmLibrary } from '../system-packages.mjs';

const account = '111122223333';
const certificateDays = 825;

/** The clusters, and the "HSMs" of each: one for the default key store, three with the same keys for the custom one. */
const members = { default: ['a'], payments: ['a', 'b', 'c'] };

/** Makes missing files. @returns their paths, and the ids. */
export async function prepareFolder(folder, port) {
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700, recursive: true });
  if ((statSync(folder).mode & 0o077) !== 0)
    throw new StepFailure(`${folder} is open to other users: chmod 700 ${folder}`);
  const at = (name) => join(folder, name);
  const state = readState(at('quickstart.json'));
  const ids = state.clusterIds ?? Object.fromEntries(Object.keys(members).map((name) => [name, newClusterId()]));
  writeState(at('quickstart.json'), { ...state, clusterIds: ids });
  const isReplicated = !hasEarlierLayout(at);
  await prepareTokens(at, isReplicated ? tokensOfMembers() : earlierTokens);
  await prepareCertificates(at);
  writeOnce(at('sealing.key'), () => `${randomBytes(32).toString('base64')}\n`);
  writeOnce(at('holdfast.yaml'), () => configuration({ ids, port }));
  for (const name of ['operator', 'app'])
    writeOnce(at(name === 'operator' ? 'client.yaml' : 'client-app.yaml'), () => profile(name, port));
  return { at, clusterIds: ids, isReplicated };
}

/** Whether an earlier version made the folder: its clusters have one token each, and no replication. */
function hasEarlierLayout(at) {
  return existsSync(at('holdfast.yaml')) && !/replication: wrapped/.test(readFileSync(at('holdfast.yaml'), 'utf8'));
}

const earlierTokens = ['default', 'payments'].map((name) => ({ label: `holdfast-${name}`, pin: name, officer: name }));

/** The members of a cluster have one user PIN, and an officer's PIN each. */
function tokensOfMembers() {
  return Object.entries(members).flatMap(([cluster, names]) =>
    names.map((name) => ({
      label: tokenLabel(cluster, name),
      pin: cluster,
      officer: `${cluster}-${name}`,
    })),
  );
}

/** The label of a member's token. */
export const tokenLabel = (cluster, member) => `holdfast-${cluster}-${member}`;

/** The members of a cluster of the configuration, each with the file of its officer's PIN. */
export function membersOf(cluster, at) {
  return members[cluster].map((name) => ({ name, officerPinFile: at(`${cluster}-${name}.so-pin`) }));
}

/** The ids that an earlier run stored. A half-written file counts as none. */
export function readState(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

export function writeState(file, state) {
  writeWhole(file, `${JSON.stringify(state, null, 2)}\n`);
}

/** The port in the present configuration. */
export function configuredPort(configurationFile) {
  const [, port] = /^ +port: (\d+)$/m.exec(readFileSync(configurationFile, 'utf8')) ?? [];
  if (port === undefined)
    throw new StepFailure(`${configurationFile} has no "port:" line of its own; remove the folder to begin again`);
  return Number(port);
}

/** Changes the port, in the configuration and both profiles; other edits there stay. */
export function changePort(at, port) {
  replaceIn(at('holdfast.yaml'), /^( +port: )\d+$/m, `$1${port}`);
  for (const name of ['client.yaml', 'client-app.yaml']) replaceIn(at(name), /^(server: [^:]+:)\d+$/m, `$1${port}`);
}

function replaceIn(file, pattern, replacement) {
  writeWhole(file, readFileSync(file, 'utf8').replace(pattern, replacement));
}

function writeOnce(file, content) {
  if (!existsSync(file)) writeWhole(file, content());
}

function writeWhole(file, content) {
  writeFileSync(`${file}.new`, content, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

async function prepareTokens(at, tokens) {
  mkdirSync(at('tokens'), { recursive: true, mode: 0o700 });
  writeOnce(
    at('softhsm2.conf'),
    () => `directories.tokendir = ${at('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const env = { SOFTHSM2_CONF: at('softhsm2.conf') };
  const shown = await execute('softhsm2-util', ['--show-slots'], { env });
  for (const { label, pin, officer } of tokens) {
    writeOnce(at(`${pin}.pin`), () => `${randomPin()}\n`);
    writeOnce(at(`${officer}.so-pin`), () => `${randomPin()}\n`);
    if (new RegExp(`^\\s+Label:\\s+${label}\\s*$`, 'm').test(shown)) continue;
    const read = (file) => readFileSync(at(file), 'utf8').trim();
    // softhsm2-util takes PINs only from a terminal or as arguments. These open nothing but this folder's tokens.
    const pins = ['--pin', read(`${pin}.pin`), '--so-pin', read(`${officer}.so-pin`)];
    try {
      await execute('softhsm2-util', ['--init-token', '--free', '--label', label, ...pins], { env });
    } catch {
      // The error would print the command line, and the PINs with it.
      throw new StepFailure(`softhsm2-util could not initialise the token ${label} in ${at('tokens')}`);
    }
  }
}

function randomPin() {
  return Array.from({ length: 12 }, () => randomInt(10)).join('');
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

function newClusterId() {
  return `cluster-${Array.from({ length: 11 }, () => alphabet[randomInt(alphabet.length)]).join('')}`;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function prepareCertificates(at) {
  const selfSigned = async (name, subject) => {
    const extensions = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    const files = ['-keyout', at(`${name}.key.new`), '-out', at(`${name}.pem.new`)];
    await execute('openssl', [
      'req',
      '-x509',
      ...newKey,
      ...files,
      '-days',
      String(certificateDays),
      '-subj',
      subject,
      ...extensions,
    ]);
    keepPair(at, name);
  };
  // A new authority makes every older certificate worthless: they are made again.
  if (!isGoodPair(at, 'ca')) {
    await selfSigned('ca', '/CN=Holdfast quickstart CA');
    for (const name of ['server', 'operator', 'app']) rmSync(at(`${name}.pem`), { force: true });
  }
  if (!isGoodPair(at, 'anchor')) await selfSigned('anchor', '/CN=Holdfast quickstart trust anchor');
  const leaves = [
    ['server', '/CN=localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth'],
    ['operator', '/CN=holdfast-operator', 'extendedKeyUsage=clientAuth'],
    ['app', '/CN=holdfast-app', 'subjectAltName=URI:spiffe://holdfast.example/app\nextendedKeyUsage=clientAuth'],
  ];
  for (const [name, subject, extensions] of leaves) {
    if (!isGoodPair(at, name)) await issue(at, name, subject, extensions);
  }
}

async function issue(at, name, subject, extensions) {
  const [request, extensionFile] = [at(`${name}.csr`), at(`${name}.ext`)];
  writeFileSync(
    extensionFile,
    `basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n${extensions}\n`,
  );
  await execute('openssl', ['req', ...newKey, '-keyout', at(`${name}.key.new`), '-out', request, '-subj', subject]);
  const authority = [
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-set_serial',
    `0x${randomBytes(15).toString('hex')}`,
  ];
  const output = ['-days', String(certificateDays), '-out', at(`${name}.pem.new`), '-extfile', extensionFile];
  await execute('openssl', ['x509', '-req', '-in', request, ...authority, ...output]);
  keepPair(at, name);
  for (const file of [request, extensionFile]) rmSync(file);
}

/** Renames the certificate last: if it exists, so does its key. */
function keepPair(at, name) {
  for (const kind of ['key', 'pem']) renameSync(at(`${name}.${kind}.new`), at(`${name}.${kind}`));
}

/** Whether a certificate exists, is valid for another day, and fits its key. */
function isGoodPair(at, name) {
  if (!existsSync(at(`${name}.pem`)) || !existsSync(at(`${name}.key`))) return false;
  const certificate = new X509Certificate(readFileSync(at(`${name}.pem`)));
  const ofKey = createPublicKey(readFileSync(at(`${name}.key`))).equals(certificate.publicKey);
  return ofKey && new Date(certificate.validTo).getTime() > Date.now() + 86_400_000;
}

function configuration({ ids, port }) {
  return `# Written by \`npm run quickstart\`. \`holdfast config print-example\` explains every line.
version: 1
identity: { partition: aws, region: eu-central-1, accounts: ["${account}"] }
listeners:
  - kind: tls
    address: 127.0.0.1
    port: ${port}
    certificate: server.pem
    key: server.key
    clientCertificateAuthority: ca.pem
  - { kind: unix, path: holdfast.sock, principal: local-operator }
principals:
  administrators:
    - { name: operator, certificate: { commonName: holdfast-operator } }
    - { name: local-operator }
  users:
    - { name: app, certificate: { uri: "spiffe://holdfast.example/app" }, keys: [alias/quickstart] }
modules:
  softhsm:
    path: ${findSoftHsmLibrary()}
    environment: { SOFTHSM2_CONF: softhsm2.conf }
clusters:
${Object.keys(members)
  .map((name) => clusterLines(name, ids[name]))
  .join('')}defaultKeyStore:
  cluster: ${ids.default}
  pin: { file: default.pin }
catalog: { kind: sqlite, path: catalog.sqlite }
sealingKeys:
  - { id: seal-1, key: { file: sealing.key } }
audit: { file: audit.log }
`;
}

function clusterLines(name, id) {
  return `  - id: ${id}
    name: ${name}
    trustAnchorCertificate: anchor.pem
    replication: wrapped
    minimumMembers: ${Math.min(2, members[name].length)}
    members:
${members[name].map((member) => `      - { name: ${member}, module: softhsm, tokenLabel: ${tokenLabel(name, member)} }\n`).join('')}`;
}

function profile(name, port) {
  return `server: localhost:${port}\nca: ca.pem\ncertificate: ${name}.pem\nkey: ${name}.key\n`;
}
