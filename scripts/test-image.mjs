#!/usr/bin/env node
/** Builds the image from the files of a clone, inspects it, and uses it: `npm run test:image`. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { baseImages } from './image/base-images.mjs';
import { BuildahEngine } from './image/buildah-engine.mjs';
import { ContainerEngine } from './image/container-engine.mjs';
import { contentProblems } from './image/contents.mjs';
import { makeContext } from './image/context.mjs';
import { becomesHealthy, checkConfinement, decrypt, drains, encryptAndDecrypt, prepare } from './image/service.mjs';
import { root } from './setup.mjs';
import { isInstalled, runMain, StepFailure, Steps } from './steps.mjs';

const help = `Usage: npm run test:image [-- <options>]

Builds the image with docker, podman or buildah, whichever works, checks what is in it, starts it read-only as its own user
with a SoftHSM token, encrypts and decrypts through it, restarts it, and stops it. Needs nothing of npm run setup.
Without a registry it makes base images: that needs root, debootstrap and npm.

Options:
  --engine <name>      docker, podman or buildah (default: the first that works)
  --base-image <name>  instead of the Dockerfile's default, for building and running
  --fresh-base         make the local base images again
  --skip-ok            exit code 0 where nothing can build
  --help               show this`;

const image = 'localhost/holdfast:test';
const imageWithToken = 'localhost/holdfast:test-softhsm';
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'holdfast-image');
const inHistory = /password|passwd|secret|token|_auth|BEGIN [A-Z ]*PRIVATE KEY|\bpin\b/i;

/** The first one that works, or a sentence for each that does not. */
async function findEngine(wanted) {
  const candidates = ['docker', 'podman', 'buildah'].filter((name) => wanted === undefined || wanted === name);
  const reasons = [];
  for (const name of candidates) {
    if (!isInstalled(name)) {
      reasons.push(`${name}: not installed`);
      continue;
    }
    const engine = name === 'buildah' ? new BuildahEngine(cache) : new ContainerEngine(name);
    const problem = await engine.problem();
    if (problem === undefined) return { engine, reasons };
    reasons.push(`${name}: ${problem.trimEnd().split('\n').at(-1)}`);
  }
  return { engine: undefined, reasons };
}

/** @returns the texts that must be nowhere in the image */
async function build(engine, steps, options) {
  const dockerfile = join(root, 'Dockerfile');
  const { buildArguments, origin } = await baseImages(engine, steps, {
    named: options['base-image'],
    fresh: options['fresh-base'],
    dockerfile,
  });
  const context = await makeContext();
  try {
    await steps.run(`build the image on ${origin}`, () =>
      engine.build({
        tag: image,
        dockerfile: join(context.folder, 'Dockerfile'),
        context: context.folder,
        buildArguments,
      }),
    );
  } finally {
    context.remove();
  }
  return context.decoy;
}

async function lookInside(engine, steps, decoy) {
  const { configuration, history, size } = await engine.inspect(image);
  await steps.run('only runtime parts are inside, nothing of this machine, and no secret', async () => {
    const problems = await engine.withRoot(image, (folder, owners) =>
      contentProblems(folder, { forbiddenTexts: [decoy], owners }),
    );
    if (problems.length > 0) throw new StepFailure(problems.slice(0, 40).join('\n'));
  });
  await steps.run('history and environment name no secret; user, entrypoint and signal are as documented', () => {
    const told = [...history, ...configuration.Env].filter((line) => inHistory.test(line) || line.includes(decoy));
    if (told.length > 0) throw new StepFailure(told.join('\n'));
    const { User: user, StopSignal: signal, Entrypoint: entrypoint } = configuration;
    const found = JSON.stringify([user, signal, entrypoint]);
    const expected = JSON.stringify([
      '10001:10001',
      'SIGTERM',
      ['/usr/local/bin/node', '/opt/holdfast/dist/cli/main.js'],
    ]);
    if (found !== expected) throw new StepFailure(`It has ${found}, and not ${expected}`);
  });
  return typeof size === 'number' ? `${Math.round(size / 1e6)} MB` : size;
}

async function work(engine, steps) {
  await steps.run('put SoftHSM on top, in an image for this test', () =>
    engine.build({
      tag: imageWithToken,
      dockerfile: join(root, 'scripts/image/softhsm.Dockerfile'),
      context: join(root, 'scripts'),
      buildArguments: { HOLDFAST_IMAGE: image },
    }),
  );
  const { mounts, port, secrets } = await steps.run('make a token, certificates and a configuration', () =>
    prepare(engine, imageWithToken),
  );
  const start = () => engine.start(imageWithToken, { mounts });
  let container = await steps.run('start it read-only, as its own user', start);
  await steps.run('its health check turns healthy', () => becomesHealthy(container));
  await steps.run('it is confined: user, capabilities, core dumps, read-only root', () => checkConfinement(container));
  const encrypted = await steps.run('create a key, encrypt and decrypt over TLS', () =>
    encryptAndDecrypt(container, port),
  );
  const logs = [await steps.run('SIGTERM drains it, exit code 0', () => drains(container))];
  container = await steps.run('start it again on the same volumes', start);
  await steps.run('what was encrypted before decrypts', () => decrypt(container, port, encrypted));
  logs.push(await drains(container));
  const told = [...secrets, encrypted.message].filter((secret) => logs.some((log) => log.includes(secret)));
  if (told.length > 0) throw new StepFailure('The log has a PIN, a sealing key or a plaintext.');
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      engine: { type: 'string' },
      'base-image': { type: 'string' },
      'fresh-base': { type: 'boolean', default: false },
      'skip-ok': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return void process.stdout.write(`${help}\n`);
  const startedMs = performance.now();
  const steps = new Steps({ quiet: false });
  const { engine, reasons } = await findEngine(options.engine);
  for (const reason of reasons) steps.say(`  ${reason}`);
  if (engine === undefined) {
    const message = 'SKIPPED: nothing here can build an image. Install docker, podman or buildah.';
    if (!options['skip-ok']) throw new StepFailure(message);
    return steps.say(message);
  }
  steps.say(`  building with ${engine.name}`);
  try {
    const decoy = await build(engine, steps, options);
    const size = await lookInside(engine, steps, decoy);
    await work(engine, steps);
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    steps.say(`\n${image}: ${size}; everything passed in ${seconds} s with ${engine.name}.`);
    for (const what of engine.unverified) steps.say(`Not verified: ${what}`);
  } finally {
    await engine.dispose();
    if (await engine.hasImage(imageWithToken)) await engine.removeImage(imageWithToken);
  }
}

await runMain(main);
