/**
 * Runs inside the test image, once, as root: makes tokens, PINs, certificates and sealing key with the quickstart's
 * code, and gives them to the user of the service. Reads the example configuration from stdin, and writes it with the
 * token's module, the cluster's id and the port (the argument) filled in. Prints the secrets that it made, as JSON.
 */
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { prepareFolder, readState } from '../quickstart/folder.mjs';
import { execute } from '../steps.mjs';
import { findSoftHsmLibrary } from '../system-packages.mjs';

const [dataFolder, configurationFolder, owner] = ['/var/lib/holdfast', '/etc/holdfast', '10001:10001'];
const port = Number(process.argv[2]);
const example = await text(process.stdin);
process.umask(0o077);

const folder = `${dataFolder}/made`;
const { at } = await prepareFolder(folder, port);
const clusterId = readState(at('quickstart.json')).clusterIds.default;
const inConfiguration = ['server', 'ca', 'anchor', 'operator', 'app'].flatMap((name) => [`${name}.pem`, `${name}.key`]);
for (const name of [...inConfiguration, 'default.pin', 'sealing.key'].filter(
  (name) => !/^(ca|anchor)\.key$/.test(name),
)) {
  copyFileSync(at(name), `${configurationFolder}/${name}`);
}
const tokens = `${dataFolder}/tokens`;
renameSync(at('tokens'), tokens);
writeFileSync(`${configurationFolder}/softhsm2.conf`, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);

const replacements = [
  [/^( +path: )\/opt\/pkcs11\/.*$/m, `$1${findSoftHsmLibrary()}\n    environment: { SOFTHSM2_CONF: softhsm2.conf }`],
  [/cluster-abcdefghijk/g, clusterId],
  [/^( +port: )7443$/m, `$1${port}`],
];
let configuration = example;
for (const [pattern, replacement] of replacements) {
  const changed = configuration.replace(pattern, replacement);
  if (changed === configuration) throw new Error(`The example configuration has nothing like ${pattern}`);
  configuration = changed;
}
writeFileSync(`${configurationFolder}/holdfast.yaml`, configuration);
const commandLine = [
  '/opt/holdfast/dist/cli/main.js',
  'catalog',
  'init',
  '--config',
  `${configurationFolder}/holdfast.yaml`,
];
await execute('/usr/local/bin/node', commandLine);
const secrets = ['default.pin', 'sealing.key'].map((name) => readFileSync(at(name), 'utf8').trim());
await execute('rm', ['-r', folder]);
await execute('chown', ['-R', owner, dataFolder, configurationFolder]);
process.stdout.write(JSON.stringify({ secrets }));
