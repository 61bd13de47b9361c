/** The image at work: started read-only with a SoftHSM token, used through its own command line, stopped. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { root } from '../setup.mjs';
import { StepFailure } from '../steps.mjs';

const patienceMs = 60_000;
const uid = '10001';
const holdfast = ['node', '/opt/holdfast/dist/cli/main.js'];

/** Tokens, PINs, certificates and configuration in two volumes. */
export async function prepare(engine, tag) {
  const [data, configuration] = [await engine.createVolume(), await engine.createVolume()];
  const port = await freePort();
  const volumes = [
    { kind: 'bind', target: '/var/lib/holdfast', source: data },
    { kind: 'bind', target: '/etc/holdfast', source: configuration },
  ];
  const temporary = { kind: 'tmpfs', target: '/tmp', options: 'mode=1777' };
  const output = await engine.runOnce(tag, {
    mounts: [...volumes, temporary],
    command: ['/usr/local/bin/node', '/opt/test/image/prepare.mjs', String(port)],
    input: readFileSync(join(root, 'deploy/container/holdfast.yaml')),
  });
  const run = { kind: 'tmpfs', target: '/run/holdfast', options: `mode=0700,uid=${uid},gid=${uid}` };
  const [writable, readOnly] = volumes;
  const mounts = [writable, { ...readOnly, kind: 'bind-ro' }, run, temporary];
  return { mounts, port, secrets: JSON.parse(output).secrets };
}

/** Waits until the health check passes. */
export async function becomesHealthy(container) {
  await eventually('healthy', container, async () => {
    if (!(await container.isHealthy())) throw new StepFailure('not healthy');
  });
}

/** Checks the user and the rights of the service, as the kernel reports them. */
export async function checkConfinement(container) {
  const status = await container.exec(['cat', '/proc/1/status']);
  const expected = [
    [/^Uid:\t10001\t10001\t10001\t10001$/m, 'it does not run as its own user'],
    [/^Gid:\t10001\t10001\t10001\t10001$/m, 'it does not run as its own group'],
    [/^Groups:\s*(10001)?\s*$/m, 'it has more groups'],
    [/^CapEff:\t0+$/m, 'it has capabilities'],
    [/^NoNewPrivs:\t1$/m, 'it could get new privileges'],
  ];
  for (const [pattern, problem] of expected) if (!pattern.test(status)) throw new StepFailure(`${problem}:\n${status}`);
  const limits = await container.exec(['cat', '/proc/1/limits']);
  if (!/^Max core file size +0 +0 /m.test(limits)) throw new StepFailure(`core dumps are on:\n${limits}`);
  const mounts = await container.exec(['cat', '/proc/1/mountinfo']);
  const rootMount = mounts.split('\n').find((line) => line.split(' ')[4] === '/');
  if (!rootMount?.split(' ')[5].split(',').includes('ro')) throw new StepFailure(`The root is writable: ${rootMount}`);
  const write = `for (const f of process.argv.slice(1)) {
    try { require('node:fs').writeFileSync(f + '/written', ''); console.log(f); } catch {} }`;
  const folders = [
    '/',
    '/etc',
    '/etc/holdfast',
    '/opt/holdfast',
    '/opt/holdfast/dist',
    '/usr',
    '/usr/local/bin',
    '/var',
    '/root',
  ];
  const written = await container.exec(['node', '-e', write, '--', ...folders]);
  if (written !== '') throw new StepFailure(`These can be written:\n${written}`);
}

/** Makes a key, and encrypts and decrypts a message with it over TLS. @returns a function that decrypts it later. */
export async function encryptAndDecrypt(container, port) {
  const cli = commandLine(container, port);
  await eventually('the token is connected', container, () => cli(['generate-random', '--number-of-bytes', '1']));
  const { key_metadata: key } = await cli(['key', 'create']);
  if (key.custody?.extractable !== false && key.custody !== undefined)
    throw new StepFailure(`The key can leave its token: ${JSON.stringify(key.custody)}`);
  await cli(['alias', 'create', 'alias/app', '--target-key-id', key.key_id]);
  const message = `the image test ${randomBytes(12).toString('hex')}`;
  const context = ['--context', 'purpose=image'];
  const { ciphertext_blob: ciphertext } = await cli(
    ['encrypt', '--key-id', 'alias/app', '--plaintext-file', '-', ...context],
    { as: 'app', input: message },
  );
  if (Buffer.from(ciphertext, 'base64').includes(message)) throw new StepFailure('The ciphertext has the plaintext.');
  const encrypted = { message, ciphertext, context };
  await decrypt(container, port, encrypted);
  return encrypted;
}

export async function decrypt(container, port, { message, ciphertext, context }) {
  const cli = commandLine(container, port);
  const run = () => cli(['decrypt', '--ciphertext', ciphertext, ...context], { as: 'app' });
  const { plaintext } = await eventually('decrypt', container, run);
  if (Buffer.from(plaintext, 'base64').toString() !== message) throw new StepFailure(`Decrypted to ${plaintext}`);
}

/** Stops the container. The log must show a complete drain. */
export async function drains(container) {
  const code = await container.stop();
  const logs = await container.logs();
  const messages = logs.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line).msg] : []));
  if (code !== 0 || !messages.includes('draining') || messages.at(-1) !== 'stopped')
    throw new StepFailure(`It ended with ${code}:\n${logs}`);
  return logs;
}

function commandLine(container, port) {
  return async (words, { as = 'operator', input } = {}) => {
    const at = (name) => `/etc/holdfast/${name}`;
    const files = ['--ca', at('ca.pem'), '--certificate', at(`${as}.pem`), '--key', at(`${as}.key`)];
    const connection = ['--server', `localhost:${port}`, ...files, '--output', 'json'];
    const output = await container.exec([...holdfast, ...words, ...connection], { input });
    return output.trim() === '' ? {} : JSON.parse(output);
  };
}

async function eventually(what, container, attempt) {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (
        performance.now() < deadlineMs &&
        /not healthy|KEY_UNAVAILABLE|UNREACHABLE|INVALID_STATE/.test(error.message)
      ) {
        await pause(500);
        continue;
      }
      throw new StepFailure(`${what}: ${error.message}\nThe log:\n${await container.logs()}`);
    }
  }
}

/** The container may share this machine's network. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
