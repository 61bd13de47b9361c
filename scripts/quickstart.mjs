#!/usr/bin/env node
/** `npm run quickstart`: from a fresh clone to a decrypted message on real tokens, each step with the command that does it. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { holdCeremonies, oneMemberAway } from './quickstart/cluster.mjs';
import { custody } from './quickstart/custody.mjs';
import { changePort, configuredPort, prepareFolder, readState, writeState } from './quickstart/folder.mjs';
import {
  cliPath,
  freePort,
  isOlderThanBuild,
  launcherPath,
  runningServer,
  startServer,
  stopServer,
} from './quickstart/server.mjs';
import { root, setup } from './setup.mjs';
import { execute, runMain, StepFailure, Steps } from './steps.mjs';

const defaultPort = 7443;
const connectTimeoutMs = 60_000;

const help = `Usage: npm run quickstart [-- <options>]

Sets up everything (system packages, npm packages, build), makes a data folder with SoftHSM tokens, certificates and
a configuration, gives the tokens their common wrapping keys, starts the server, and does the main job with the holdfast
command: a custom key store on a cluster of three HSMs, a key, encrypt, decrypt, a data key, what the tokens say of the
key, and one HSM that is away for a while. A second run reuses what is there.
Each step prints the commands that do the same by hand while the server runs.

Options:
  --keep-running     leave the server running
  --port <n>         port of the server in a new folder (default: ${defaultPort}, or a free one if that is taken)
  --folder <path>    data folder (default: .holdfast)
  --skip-setup       do not install or build anything
  --help             show this`;

/** The command as typed from the working directory. */
const command = /^\.\.?\//.test(relative(process.cwd(), launcherPath))
  ? relative(process.cwd(), launcherPath)
  : `./${relative(process.cwd(), launcherPath)}`;

/** One run of the quickstart on one folder. */
class Quickstart {
  constructor(steps, folder, context) {
    this.steps = steps;
    this.folder = relative(process.cwd(), folder) || '.';
    this.at = context.at;
    this.clusterIds = context.clusterIds;
    this.clusterId = context.clusterIds.payments;
    this.isReplicated = context.isReplicated;
    this.port = configuredPort(context.at('holdfast.yaml'));
  }

  /** Runs the CLI with the operator's profile, or the application's. @returns its JSON. */
  async cli(argumentList, { as = 'operator', input } = {}) {
    const profile = this.at(as === 'operator' ? 'client.yaml' : 'client-app.yaml');
    const output = await execute(
      process.execPath,
      [cliPath, ...argumentList, '--profile', profile, '--output', 'json'],
      { input },
    );
    return output.trim() === '' ? {} : JSON.parse(output);
  }

  /** One step: its result in one line, and how to do the same by hand. */
  async step(label, { cli, rpc, request, as = 'operator' }, work) {
    await this.steps.run(label, work);
    const name = as === 'operator' ? 'client.yaml' : 'client-app.yaml';
    // The operator's profile is found by default in its usual place.
    const isFound = as === 'operator' && this.folder === '.holdfast';
    const profile = isFound ? '' : ` --profile ${this.folder}/${name}`;
    this.steps.say(`    $ ${command} ${cli}${profile}`);
    const tls = `-cacert ${this.folder}/ca.pem -cert ${this.folder}/${as}.pem -key ${this.folder}/${as}.key`;
    const method = rpc.startsWith('holdfast.') ? rpc : `holdfast.kms.v1.${rpc}`;
    const target = `localhost:${this.port} ${method}`;
    // A request with a secret in it is shown as a program that prints it: every user of the machine can see arguments.
    this.steps.say(
      typeof request === 'string'
        ? `    $ node -p '${request}' | grpcurl ${tls} -d @ ${target}`
        : `    $ grpcurl ${tls} -d '${JSON.stringify(request)}' ${target}`,
    );
  }

  remember(change) {
    writeState(this.at('quickstart.json'), { ...readState(this.at('quickstart.json')), ...change });
  }
}

async function mainJob(run) {
  const { at, folder } = run;
  const keyStoreId = await keyStore(run);
  const { keyId, keyArn } = await key(run, keyStoreId);
  const message = `Holdfast ${new Date().toISOString()} ${randomBytes(4).toString('hex')}`;
  writeFileSync(at('message.txt'), message, { mode: 0o600 });
  const context = { purpose: 'quickstart' };
  const base64 = Buffer.from(message).toString('base64');
  await run.step(
    `encrypt ${message.length} bytes, as the application: ${folder}/message.enc`,
    {
      as: 'app',
      cli: `encrypt --key-id alias/quickstart --plaintext-file ${folder}/message.txt --context purpose=quickstart --out ${folder}/message.enc`,
      rpc: 'CryptographyService/Encrypt',
      request: { key_id: 'alias/quickstart', plaintext: base64, encryption_context: context },
    },
    () =>
      run.cli(
        [
          'encrypt',
          '--key-id',
          'alias/quickstart',
          '--plaintext-file',
          at('message.txt'),
          '--context',
          'purpose=quickstart',
          '--out',
          at('message.enc'),
        ],
        { as: 'app' },
      ),
  );
  const ciphertext = readFileSync(at('message.enc'));
  run.steps.say(`    ciphertext (${ciphertext.length} bytes): ${ciphertext.toString('base64')}`);
  await run.step(
    'decrypt it, and compare: the same',
    {
      as: 'app',
      cli: `decrypt --ciphertext-file ${folder}/message.enc --context purpose=quickstart`,
      rpc: 'CryptographyService/Decrypt',
      request: { ciphertext_blob: ciphertext.toString('base64'), encryption_context: context },
    },
    async () => {
      const { plaintext } = await run.cli(
        ['decrypt', '--ciphertext-file', at('message.enc'), '--context', 'purpose=quickstart'],
        { as: 'app' },
      );
      if (plaintext !== base64) throw new StepFailure(`What came back is not what went in: ${plaintext}`);
    },
  );
  await dataKey(run);
  await custody(run, { keyId, keyArn });
  if (run.isReplicated) await oneMemberAway(run, () => roundTrip(run, base64));
}

/** What `encrypt` and `decrypt` do, without a word. */
async function roundTrip(run, base64) {
  const { at } = run;
  const context = ['--context', 'purpose=quickstart'];
  const out = ['--out', at('message.enc')];
  const plaintext = ['--plaintext-file', at('message.txt')];
  await run.cli(['encrypt', '--key-id', 'alias/quickstart', ...plaintext, ...context, ...out], { as: 'app' });
  const opened = await run.cli(['decrypt', '--ciphertext-file', at('message.enc'), ...context], { as: 'app' });
  if (opened.plaintext !== base64) throw new StepFailure('What came back is not what went in.');
}

async function keyStore(run) {
  const { at, folder } = run;
  const found = await run.cli(['key-store', 'describe']);
  let store = found.custom_key_stores.find(({ custom_key_store_name: name }) => name === 'payments');
  await run.step(
    store === undefined
      ? 'create the custom key store "payments"'
      : 'the custom key store "payments" is there from an earlier run',
    {
      cli: `key-store create --name payments --cluster-id ${run.clusterId} --trust-anchor ${folder}/anchor.pem --password-file ${folder}/payments.pin`,
      rpc: 'KeyStoreService/CreateCustomKeyStore',
      request: `JSON.stringify({ custom_key_store_name: "payments", cloud_hsm_cluster_id: "${run.clusterId}", trust_anchor_certificate: fs.readFileSync("${folder}/anchor.pem", "utf8"), key_store_password: fs.readFileSync("${folder}/payments.pin", "utf8").trim() })`,
    },
    async () => {
      const files = ['--trust-anchor', at('anchor.pem'), '--password-file', at('payments.pin')];
      store ??= await run.cli(['key-store', 'create', '--name', 'payments', '--cluster-id', run.clusterId, ...files]);
    },
  );
  const { custom_key_store_id: id, connection_state: state } = store;
  await run.step(
    `connect it: ${id} is CONNECTED`,
    {
      cli: `key-store connect ${id} --wait`,
      rpc: 'KeyStoreService/ConnectCustomKeyStore',
      request: { custom_key_store_id: id },
    },
    () => connect(run, id, state),
  );
  return id;
}

/**
 * A store that was connected before the server stopped reconnects by itself after a moment; a failed one must be
 * disconnected first.
 */
async function connect(run, id, state) {
  if (state === 'CONNECTION_STATE_CONNECTED') return serves(run, id);
  if (state === 'CONNECTION_STATE_FAILED') await run.cli(['key-store', 'disconnect', id]);
  if (state !== 'CONNECTION_STATE_CONNECTING') await run.cli(['key-store', 'connect', id]);
  await serves(run, id);
}

/** Waits until the HSM behind a store answers. */
async function serves(run, id) {
  const deadlineMs = performance.now() + connectTimeoutMs;
  for (;;) {
    const failure = await run.cli(['generate-random', '--number-of-bytes', '1', '--key-store-id', id]).then(
      () => undefined,
      (error) => error,
    );
    if (failure === undefined) return;
    const { custom_key_stores: stores } = await run.cli(['key-store', 'describe', id]);
    if (performance.now() >= deadlineMs || stores[0].connection_state === 'CONNECTION_STATE_FAILED') {
      throw new StepFailure(`${id} does not connect: ${stores[0].connection_error_code ?? failure.message}`);
    }
  }
}

async function key(run, keyStoreId) {
  let metadata = await rememberedKey(run, keyStoreId);
  await run.step(
    metadata === undefined ? 'create a key in it' : 'its key is there from an earlier run',
    {
      cli: `key create --key-store-id ${keyStoreId} --description "made by the quickstart"`,
      rpc: 'KeyService/CreateKey',
      request: {
        custom_key_store_id: keyStoreId,
        origin: 'ORIGIN_AWS_CLOUDHSM',
        description: 'made by the quickstart',
      },
    },
    async () => {
      if (metadata !== undefined) return;
      const created = await run.cli([
        'key',
        'create',
        '--key-store-id',
        keyStoreId,
        '--description',
        'made by the quickstart',
      ]);
      metadata = created.key_metadata;
      run.remember({ keyId: metadata.key_id });
    },
  );
  const keyId = metadata.key_id;
  run.steps.say(`    ${metadata.arn}`);
  const { aliases } = await run.cli(['alias', 'list']);
  const alias = aliases.find(({ alias_name: name }) => name === 'alias/quickstart');
  const verb = alias === undefined ? 'create' : 'update';
  await run.step(
    'call it alias/quickstart, which the principal "app" may use',
    {
      cli: `alias ${verb} alias/quickstart --target-key-id ${keyId}`,
      rpc: `KeyService/${verb === 'create' ? 'CreateAlias' : 'UpdateAlias'}`,
      request: { alias_name: 'alias/quickstart', target_key_id: keyId },
    },
    async () => {
      if (alias?.target_key_id !== keyId) await run.cli(['alias', verb, 'alias/quickstart', '--target-key-id', keyId]);
    },
  );
  return { keyId, keyArn: metadata.arn };
}

/** The key of an earlier run, if it is still usable and in this store. */
async function rememberedKey(run, keyStoreId) {
  const { keyId } = readState(run.at('quickstart.json'));
  const { keys } = await run.cli(['key', 'list']);
  if (!keys.some(({ key_id: id }) => id === keyId)) return undefined;
  const { key_metadata: metadata } = await run.cli(['key', 'describe', keyId]);
  return metadata.key_state === 'KEY_STATE_ENABLED' && metadata.custom_key_store_id === keyStoreId
    ? metadata
    : undefined;
}

async function dataKey(run) {
  let answer;
  await run.step(
    'generate a data key: 32 bytes in the clear, and encrypted under the key',
    {
      as: 'app',
      cli: 'generate-data-key --key-id alias/quickstart --key-spec AES_256 --output json',
      rpc: 'CryptographyService/GenerateDataKey',
      request: { key_id: 'alias/quickstart', key_spec: 'DATA_KEY_SPEC_AES_256' },
    },
    async () =>
      (answer = await run.cli(['generate-data-key', '--key-id', 'alias/quickstart', '--key-spec', 'AES_256'], {
        as: 'app',
      })),
  );
  run.steps.say(
    `    plaintext: ${Buffer.from(answer.plaintext, 'base64').length} bytes, not shown; ciphertext_blob: ${answer.ciphertext_blob.slice(0, 48)}…`,
  );
}

/**
 * Finds or starts the server. @returns its process id (undefined: started by hand), and whether it was there before.
 */
async function server(steps, context, folder) {
  const { at } = context;
  const isReady = () =>
    execute(process.execPath, [
      cliPath,
      'key-store',
      'describe',
      '--profile',
      at('client.yaml'),
      '--output',
      'json',
      '--timeout',
      '5',
    ]).then(
      () => true,
      () => false,
    );
  const earlier = runningServer(at);
  if (earlier !== undefined && !isOlderThanBuild(at) && (await isReady())) {
    steps.say(`✓ a server of an earlier run is running (process ${earlier}); using it`);
    return { pid: earlier, wasRunning: true };
  }
  if (earlier !== undefined) await steps.run('stop a stale server of an earlier run', () => stopServer(at, earlier));
  const wanted = configuredPort(at('holdfast.yaml'));
  const port = await freePort(wanted);
  if (port !== wanted && (await isReady())) {
    steps.say('✓ a server that was started by hand is running; using it');
    return { pid: undefined, wasRunning: true };
  }
  if (port !== wanted) {
    changePort(at, port);
    steps.say(`  port ${wanted} is taken; using ${port}`);
  }
  await makeCatalog(steps, at);
  if (context.isReplicated) {
    const shown = { command, folder: relative(process.cwd(), folder) || '.' };
    await holdCeremonies(steps, context, shown);
  }
  const pid = await steps.run(`start the server on localhost:${port}`, () => startServer(at, isReady));
  return { pid, wasRunning: earlier !== undefined };
}

/** Makes the catalog, once. A folder with an audit log had one: if it is missing, the server explains what to do. */
async function makeCatalog(steps, at) {
  if (existsSync(at('catalog.sqlite')) || existsSync(at('audit.log'))) return;
  await steps.run('make the catalog', () =>
    execute(process.execPath, [cliPath, 'catalog', 'init', '--config', at('holdfast.yaml')]),
  );
}

function farewell(steps, folder, { pid, stays }) {
  const shown = relative(process.cwd(), folder) || '.';
  steps.say('');
  const profile = shown === '.holdfast' ? '' : ` --profile ${shown}/client.yaml`;
  if (stays && pid === undefined) steps.say('The server was running before, and still is.');
  else if (stays)
    steps.say(`The server is running (process ${pid}; log ${shown}/server.log). Stop it with: kill ${pid}`);
  else
    steps.say(
      `The server is stopped. The commands above want it running:\n  npm run quickstart -- --keep-running    # in the background\n  ${command} serve --config ${shown}/holdfast.yaml    # in the foreground`,
    );
  steps.say(
    `Then, from this folder:\n  ${command} key list${profile}\n  ${command} doctor --config ${shown}/holdfast.yaml\nTo begin again: stop the server, and rm -r ${shown}`,
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      'keep-running': { type: 'boolean', default: false },
      port: { type: 'string', default: String(defaultPort) },
      folder: { type: 'string', default: join(root, '.holdfast') },
      'skip-setup': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(`${help}\n`);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new StepFailure('--port must be from 1 to 65535');
  // Files of this script and its children are for this user only.
  const steps = new Steps({ quiet: false });
  if (!values['skip-setup']) await setup({ quiet: false });
  process.umask(0o077);
  const folder = resolve(values.folder);
  const isNew = !existsSync(folder);
  const context = await steps.run(isNew ? `make ${folder}: tokens, certificates, configuration` : `use ${folder}`, () =>
    prepareFolder(folder, port),
  );
  const { pid, wasRunning } = await server(steps, context, folder);
  const stays = values['keep-running'] || wasRunning;
  const stop = async () => {
    if (!stays) await steps.run('stop the server', () => stopServer(context.at, pid));
  };
  // Ctrl-C also reaches the running commands; only the server is left.
  process.once('SIGINT', () => void stop().finally(() => process.exit(130)));
  process.once('SIGTERM', () => void stop().finally(() => process.exit(143)));
  try {
    await mainJob(new Quickstart(steps, folder, context));
  } finally {
    await stop();
  }
  farewell(steps, folder, { pid, stays });
}

await runMain(main);
