import { configurationChanges } from '../config/changes.js';
import type { Configuration, ModuleConfiguration } from '../config/configuration.js';
import { loadConfiguration } from '../config/load.js';
import { ConfigurationError, type ConfigurationProblem } from '../config/problem.js';
import type { MemberPlace } from '../hsm/events.js';
import type { ConfiguredHsmClusters } from '../hsm/clusters.js';
import { memberOptions } from './cluster-options.js';

/** Receives the result of each reload of the configuration file. */
export interface ConfigurationReloadEvents {
  /** Members were added, and begin to open. */
  membersAdded(members: readonly MemberPlace[]): void;
  /** The file has other changes, which are not in use. */
  restartNeeded(changes: readonly string[]): void;
  /** The file is invalid or cannot be read, and changed nothing. */
  refused(error: unknown): void;
}

/** The dependencies of the reload. */
export interface ConfigurationReloadTools {
  /** Names the file, and is what the server has started with. */
  configuration: Configuration;
  clusters: Pick<ConfiguredHsmClusters, 'addMember'>;
  /** The problems of a module that would keep the server from a start. */
  moduleProblems(module: ModuleConfiguration): Promise<ConfigurationProblem[]>;
  events: ConfigurationReloadEvents;
}

/** Reads the configuration file again and takes up new members of clusters (SIGHUP). */
export class ConfigurationReload {
  readonly #tools: ConfigurationReloadTools;
  #inUse: Configuration;
  #trouble: string | null = null;

  constructor(tools: ConfigurationReloadTools) {
    this.#tools = tools;
    this.#inUse = tools.configuration;
  }

  /** Why the file is not, or not wholly, in use since the last reload; null: it is. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * The whole file is checked before anything changes. Does not wait for the new members: they open in the background,
   * like members that were away. @throws ConfigurationError
   */
  async reload(): Promise<void> {
    const { clusters, events } = this.#tools;
    try {
      const read = await loadConfiguration(this.#inUse.path);
      await this.#requireUsableModules(read);
      const { next, newMembers, needRestart } = configurationChanges(this.#inUse, read);
      const added = newMembers.map(({ clusterId, member }) => [clusterId, memberOptions(member, next)] as const);
      for (const place of added) clusters.addMember(...place);
      this.#inUse = next;
      const places = newMembers.map(({ clusterId, member }) => ({ clusterId, memberName: member.name }));
      if (places.length > 0) events.membersAdded(places);
      if (needRestart.length > 0) events.restartNeeded(needRestart);
      this.#trouble = needRestart.length === 0 ? null : `needs a restart for ${needRestart.join(', ')}`;
    } catch (error) {
      this.#trouble = `is not in use: ${firstProblem(error)}`;
      events.refused(error);
      throw error;
    }
  }

  /** The loader waits for some files for ever, and keeps all others waiting. */
  async #requireUsableModules({ path, modules }: Configuration): Promise<void> {
    const added = modules.filter(({ name }) => !this.#inUse.modules.some((module) => module.name === name));
    const problems = (await Promise.all(added.map((module) => this.#tools.moduleProblems(module)))).flat();
    if (problems.length > 0) throw new ConfigurationError(path, problems);
  }
}

/** The first of them, with its place in the file; the log has all. */
function firstProblem(error: unknown): string {
  if (!(error instanceof ConfigurationError)) return 'it cannot be read';
  const [first] = error.problems;
  const rest = error.problems.length > 1 ? ` (and ${error.problems.length - 1} more)` : '';
  return `${first?.path === '' ? '' : `${first?.path}: `}${first?.message}${rest}`;
}
