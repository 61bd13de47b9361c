/**
 * The base images: the Dockerfile's default if its registry can be reached, else two that are made here with
 * debootstrap and Node from npm. Those are for tests: the one for building also trusts the certificate authorities of
 * this machine.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, isInstalled, StepFailure } from '../steps.mjs';

const debian = 'bookworm';
const trusted = '/etc/ssl/certs/ca-certificates.crt';
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const repository = 'localhost/holdfast-test-base';

/** @returns the build arguments that name them, and their origin. */
export async function baseImages(engine, steps, { named, dockerfile, fresh }) {
  if (named !== undefined) return { buildArguments: { BUILD_IMAGE: named, RUNTIME_IMAGE: named }, origin: named };
  const standard = /^ARG RUNTIME_IMAGE=(.*)$/m.exec(readFileSync(dockerfile, 'utf8'))[1];
  const reason = await engine.pull(standard).then(
    () => undefined,
    (error) => error.message.trimEnd().split('\n').at(-1),
  );
  if (reason === undefined) return { buildArguments: {}, origin: standard };
  steps.say(`  ${standard} is not available: ${reason}`);
  const [, nodeMajor] = /node:(\d+)/.exec(standard);
  const origin = `debootstrap ${debian}, Node ${nodeMajor} of npm`;
  const made = {
    BUILD_IMAGE: `${repository}:build-${nodeMajor}`,
    RUNTIME_IMAGE: `${repository}:runtime-${nodeMajor}`,
  };
  if (fresh) await forget(engine, Object.values(made));
  if ((await engine.hasImage(made.BUILD_IMAGE)) && (await engine.hasImage(made.RUNTIME_IMAGE))) {
    steps.say(`  using the base images of an earlier run (--fresh-base makes them again)`);
    return { buildArguments: made, origin };
  }
  if (!isInstalled('debootstrap') || process.getuid() !== 0) {
    throw new StepFailure(
      `${standard} cannot be pulled, and no base image can be made here: that needs debootstrap, and root. --base-image names another`,
    );
  }
  await steps.run(`make base images: ${origin}`, () => makeBaseImages(engine, nodeMajor, made));
  return { buildArguments: made, origin };
}

async function forget(engine, tags) {
  for (const tag of tags) {
    if (await engine.hasImage(tag)) await engine.removeImage(tag);
  }
}

async function makeBaseImages(engine, nodeMajor, made) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-base-'));
  const root = join(folder, 'root');
  const at = (...names) => join(root, 'usr/local', ...names);
  try {
    await execute('debootstrap', ['--variant=minbase', debian, root]);
    const node = await unpack(folder, `node-linux-${process.arch}@${nodeMajor}`);
    cpSync(join(node, 'bin/node'), at('bin/node'));
    await engine.importFolder(root, made.RUNTIME_IMAGE, { PATH: path });
    // The official image has npm and Node's headers too.
    cpSync(join(node, 'include'), at('include'), { recursive: true });
    cpSync(await unpack(folder, 'npm@11'), at('lib/node_modules/npm'), { recursive: true });
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', at('bin/npm'));
    const environment = { PATH: path };
    if (existsSync(trusted)) {
      mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true });
      cpSync(trusted, join(root, trusted));
      environment.NODE_EXTRA_CA_CERTS = trusted;
    }
    await engine.importFolder(root, made.BUILD_IMAGE, environment);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the folder of an unpacked npm package. */
async function unpack(folder, name) {
  const archive = (await execute('npm', ['pack', '--silent', name], { cwd: folder })).trim();
  const unpacked = join(folder, archive.replace(/\.tgz$/, ''));
  mkdirSync(unpacked);
  await execute('tar', ['--no-same-owner', '--strip-components', '1', '-C', unpacked, '-xzf', join(folder, archive)]);
  return unpacked;
}
