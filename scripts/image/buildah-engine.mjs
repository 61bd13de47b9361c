/**
 * Builds with buildah, as root, in storage of its own. buildah runs containers only for building, so
 * `namespace-container.sh` starts the image: new mount, process, IPC and host-name namespaces, the image's root
 * read-only, its user, no capability, no new privileges. `unverified` names what a real engine adds.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, StepFailure } from '../steps.mjs';

const runner = fileURLToPath(new URL('namespace-container.sh', import.meta.url));
const stopTimeoutMs = 60_000;

export class BuildahEngine {
  name = 'buildah';
  unverified = [
    "an engine's own runtime: seccomp and AppArmor profiles, cgroup limits, a network namespace, volumes and restarts",
    'that an engine runs the HEALTHCHECK by itself: its command was run here, as the image names it',
  ];
  #storage;
  #folders = [];
  #containers = [];

  /** @param cache the folder that keeps base images between runs */
  constructor(cache) {
    mkdirSync(cache, { recursive: true });
    this.#storage = ['--storage-driver', 'vfs', '--root', join(cache, 'storage'), '--runroot', join(cache, 'run')];
  }

  /** @returns why it cannot be used here, or undefined */
  async problem() {
    if (process.getuid() !== 0) return 'buildah is used as root only';
    return this.#buildah('images').then(
      () => undefined,
      (error) => error.message,
    );
  }

  async pull(reference) {
    await this.#buildah('pull', '--quiet', reference);
  }

  async hasImage(tag) {
    return (await this.#buildah('images', '--format', '{{.Name}}:{{.Tag}}')).split('\n').includes(tag);
  }

  /** Makes an image of a folder. */
  async importFolder(folder, tag, environment) {
    const container = (await this.#buildah('from', 'scratch')).trim();
    await this.#buildah('add', '--quiet', container, folder, '/');
    const settings = Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    await this.#buildah('config', ...settings, container);
    await this.#buildah('commit', '--quiet', '--rm', '--format', 'docker', container, tag);
  }

  async build({ tag, dockerfile, context, buildArguments }) {
    const given = Object.entries(buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    const format = ['--format', 'docker', '--isolation', 'chroot'];
    await this.#buildah('bud', ...format, ...given, '--tag', tag, '--file', dockerfile, context);
  }

  /** @returns the image's configuration in Docker's form, its history, and its size. */
  async inspect(tag) {
    const { Docker: image, OCIv1 } = JSON.parse(await this.#buildah('inspect', '--type', 'image', tag));
    const sizes = await this.#buildah('images', '--json', tag);
    const history = [...(image.history ?? []), ...(OCIv1.history ?? [])].map((layer) => JSON.stringify(layer));
    return { configuration: image.config, history, size: JSON.parse(sizes)[0].size };
  }

  /** Calls `look` with the image's root as a folder. */
  async withRoot(tag, look) {
    const container = await this.#mount(tag);
    try {
      return await look(container.root);
    } finally {
      await this.#buildah('rm', container.name);
    }
  }

  createVolume() {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
    this.#folders.push(folder);
    return Promise.resolve(folder);
  }

  /** Runs one command in a container of its own, as root. @returns its stdout */
  async runOnce(tag, { mounts, command, input }) {
    const container = await this.#mount(tag);
    try {
      const { configuration } = await this.inspect(tag);
      const program = ['env', '-i', ...configuration.Env, ...command];
      const specification = [container.root, 'rw', '0', ...mounts.map(mountOf), '--', ...program];
      return await execute('unshare', [...namespaces, runner, ...specification], { input });
    } finally {
      await this.#buildah('rm', container.name);
    }
  }

  /** Starts the image's own command, read-only, as the image's user. */
  async start(tag, { mounts }) {
    const { configuration } = await this.inspect(tag);
    const mounted = await this.#mount(tag);
    const container = new NamespaceContainer(mounted.root, configuration, mounts);
    this.#containers.push(container);
    await container.begun();
    return container;
  }

  async dispose() {
    for (const container of this.#containers) container.kill();
    await this.#buildah('rm', '--all');
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  async removeImage(tag) {
    await this.#buildah('rmi', '--force', tag);
    await this.#buildah('rmi', '--prune');
  }

  async #mount(tag) {
    const name = (await this.#buildah('from', '--pull-never', tag)).trim();
    return { name, root: (await this.#buildah('mount', name)).trim() };
  }

  #buildah(...argumentList) {
    return execute('buildah', [...this.#storage, ...argumentList]);
  }
}

const namespaces = ['--mount', '--pid', '--ipc', '--uts', '--fork'];

const mountOf = ({ kind, target, source, options }) => `${kind}:${target}:${source ?? options}`;

/** A running container: `unshare`, and below it the image's command as process 1 of its namespace. */
class NamespaceContainer {
  #child;
  #ended;
  #output = '';
  #configuration;
  #uid;

  constructor(root, configuration, mounts) {
    this.#configuration = configuration;
    this.#uid = configuration.User.split(':')[0];
    const program = ['env', '-i', ...configuration.Env, ...configuration.Entrypoint, ...configuration.Cmd];
    const specification = [root, 'ro', this.#uid, ...mounts.map(mountOf), '--', ...program];
    this.#child = spawn('unshare', [...namespaces, runner, ...specification], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on('data', (chunk) => (this.#output += chunk.toString()));
    this.#ended = new Promise((resolve) => this.#child.once('close', (code, signal) => resolve(code ?? signal)));
  }

  /** Resolves when there is a process 1. */
  async begun() {
    for (let tries = 0; tries < 100; tries += 1) {
      if (this.#firstProcess() !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new StepFailure(`The container did not start:\n${this.#output}`);
  }

  logs() {
    return Promise.resolve(this.#output);
  }

  /** Runs a command inside, as the image's user. @returns its stdout */
  exec(command, { input } = {}) {
    const inside = ['--target', this.#firstProcess(), '--mount', '--pid', '--ipc', '--uts'];
    const { Env: environment } = this.#configuration;
    const user = ['--reuid', this.#uid, '--regid', this.#uid, '--clear-groups', '--no-new-privs'];
    const rights = ['--bounding-set=-all', '--inh-caps=-all', 'env', '-i', ...environment];
    return execute('nsenter', [...inside, '/usr/bin/setpriv', ...user, ...rights, ...command], { input });
  }

  async isHealthy() {
    const [kind, ...command] = this.#configuration.Healthcheck.Test;
    if (kind !== 'CMD') throw new StepFailure(`The health check needs a shell: ${kind}`);
    return this.exec(command).then(
      () => true,
      () => false,
    );
  }

  /** Sends the image's stop signal. @returns the exit code */
  async stop() {
    process.kill(Number(this.#firstProcess()), this.#configuration.StopSignal);
    const timer = setTimeout(() => this.kill(), stopTimeoutMs);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  /** Process 1 itself: it has changed its user, so it does not die with its parent. */
  kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const first = this.#firstProcess();
    if (first === undefined) this.#child.kill('SIGKILL');
    else process.kill(Number(first), 'SIGKILL');
  }

  #firstProcess() {
    const { pid, exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) throw new StepFailure(`The container has ended:\n${this.#output}`);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children === '' ? undefined : children.split(' ')[0];
  }
}
