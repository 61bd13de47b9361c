/** Docker and Podman: both have the same commands. */
import { execute, StepFailure } from '../steps.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archivedOwners } from './archive.mjs';

const stopTimeoutSeconds = 60;

export class ContainerEngine {
  unverified = [];
  #volumes = [];
  #containers = [];

  /** @param {'docker' | 'podman'} name */
  constructor(name) {
    this.name = name;
  }

  /** @returns why it cannot be used here, or undefined. A client without an engine does not count. */
  problem() {
    return this.#run('info').then(
      () => undefined,
      (error) => error.message,
    );
  }

  async pull(reference) {
    await this.#run('pull', '--quiet', reference);
  }

  hasImage(tag) {
    return this.#run('image', 'inspect', tag).then(
      () => true,
      () => false,
    );
  }

  /** Makes an image of a folder. */
  async importFolder(folder, tag, environment) {
    const archive = `${folder}.tar`;
    const settings = Object.entries(environment).flatMap(([name, value]) => ['--change', `ENV ${name}=${value}`]);
    try {
      await execute('tar', ['--numeric-owner', '-C', folder, '-cf', archive, '.']);
      await this.#run('import', ...settings, archive, tag);
    } finally {
      rmSync(archive, { force: true });
    }
  }

  async build({ tag, dockerfile, context, buildArguments }) {
    const given = Object.entries(buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    // Podman's own format has no health check.
    const format = this.name === 'podman' ? ['--format', 'docker'] : [];
    await this.#run('build', ...format, ...given, '--tag', tag, '--file', dockerfile, context);
  }

  /** @returns the image's configuration in Docker's form, its history, and its size. */
  async inspect(tag) {
    const [image] = JSON.parse(await this.#run('image', 'inspect', tag));
    const configuration = { ...image.Config, Healthcheck: image.Config.Healthcheck ?? image.HealthCheck };
    const history = await this.#run('history', '--no-trunc', '--format', '{{.CreatedBy}}', tag);
    return { configuration, history: history.split('\n'), size: image.Size };
  }

  /**
   * Calls `look` with the image's root as a folder, and with its owners and modes: users other than root unpack without
   * them.
   */
  async withRoot(tag, look) {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
    const container = (await this.#run('create', tag)).trim();
    try {
      await this.#run('export', '--output', `${folder}.tar`, container);
      await execute('tar', ['-C', folder, '-xf', `${folder}.tar`]);
      return await look(folder, await archivedOwners(`${folder}.tar`));
    } finally {
      await this.#run('rm', container);
      for (const path of [folder, `${folder}.tar`]) rmSync(path, { recursive: true, force: true });
    }
  }

  async createVolume() {
    const name = (await this.#run('volume', 'create')).trim();
    this.#volumes.push(name);
    return name;
  }

  /** Runs one command in a container of its own, as root. @returns its stdout */
  runOnce(tag, { mounts, command, input }) {
    const [entrypoint, ...rest] = command;
    const options = ['--rm', '--interactive', '--user', '0:0', '--network', 'none', '--entrypoint', entrypoint];
    return execute(this.name, ['run', ...options, ...mounts.flatMap(mountOf), tag, ...rest], { input });
  }

  /** Starts the image's own command, read-only, as the image's user. */
  async start(tag, { mounts }) {
    const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--network', 'none'];
    const name = (await this.#run('run', '--detach', ...hardened, ...mounts.flatMap(mountOf), tag)).trim();
    this.#containers.push(name);
    return new EngineContainer(this.name, name);
  }

  async dispose() {
    if (this.#containers.length > 0) await this.#run('rm', '--force', ...this.#containers);
    if (this.#volumes.length > 0) await this.#run('volume', 'rm', '--force', ...this.#volumes);
  }

  async removeImage(tag) {
    await this.#run('rmi', '--force', tag);
  }

  #run(...argumentList) {
    return execute(this.name, argumentList);
  }
}

function mountOf({ kind, target, source, options }) {
  if (kind === 'tmpfs') return ['--tmpfs', `${target}:${options}`];
  return ['--volume', `${source}:${target}${kind === 'bind-ro' ? ':ro' : ''}`];
}

class EngineContainer {
  #engine;
  #name;

  constructor(engine, name) {
    this.#engine = engine;
    this.#name = name;
  }

  /** @returns the output of both streams: the service logs to stderr. */
  logs() {
    return execute('sh', ['-c', `exec "$1" logs "$2" 2>&1`, 'sh', this.#engine, this.#name]);
  }

  /** Runs a command inside, as the image's user. @returns its stdout */
  exec(command, { input } = {}) {
    return execute(this.#engine, ['exec', '--interactive', this.#name, ...command], { input });
  }

  async isHealthy() {
    const [container] = JSON.parse(await execute(this.#engine, ['inspect', this.#name]));
    if (container.State.Running !== true) throw new StepFailure(`The container has ended:\n${await this.logs()}`);
    // Docker runs the check itself. Podman leaves that to systemd, which may be absent.
    if (this.#engine === 'docker') return container.State.Health?.Status === 'healthy';
    return execute('podman', ['healthcheck', 'run', this.#name]).then(
      () => true,
      () => false,
    );
  }

  /** Sends the image's stop signal. @returns the exit code */
  async stop() {
    await execute(this.#engine, ['stop', '--time', String(stopTimeoutSeconds), this.#name]);
    const [container] = JSON.parse(await execute(this.#engine, ['inspect', this.#name]));
    return container.State.ExitCode;
  }
}
