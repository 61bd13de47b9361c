import { HoldfastError } from '../../src/errors.js';
import type { ClusterDescription, ConnectOutcome, HsmCluster, HsmClusters } from '../../src/clusters/hsm-cluster.js';
import type { Secret } from '../../src/secret.js';

/** The answer to the next connect of a cluster; `until` holds the answer back. */
export interface ScriptedConnect {
  outcome?: Extract<ConnectOutcome, { connected: false }>;
  until?: Promise<void>;
}

/** Clusters whose connects follow a script; without one they succeed. Every operation answers KEY_UNAVAILABLE. */
export class FakeHsmClusters implements HsmClusters {
  readonly connects: { clusterId: string; pin: string; credentialVersion: string }[] = [];
  readonly open = new Set<string>();
  readonly #descriptions: ReadonlyMap<string, ClusterDescription>;
  readonly #script = new Map<string, ScriptedConnect[]>();

  constructor(descriptions: readonly ClusterDescription[]) {
    this.#descriptions = new Map(descriptions.map((description) => [description.clusterId, description]));
  }

  script(clusterId: string, ...steps: ScriptedConnect[]): void {
    this.#script.set(clusterId, steps);
  }

  describe(clusterId: string): ClusterDescription | undefined {
    return this.#descriptions.get(clusterId);
  }

  list(): ClusterDescription[] {
    return [...this.#descriptions.values()];
  }

  async connect(clusterId: string, pin: Secret, credentialVersion: string): Promise<ConnectOutcome> {
    this.connects.push({ clusterId, pin: new TextDecoder().decode(pin.reveal()), credentialVersion });
    const step = this.#script.get(clusterId)?.shift() ?? {};
    await step.until;
    if (step.outcome !== undefined) return step.outcome;
    if (this.open.has(clusterId)) throw new Error(`${clusterId} was connected twice`);
    this.open.add(clusterId);
    return { connected: true, cluster: unreachableCluster(clusterId) };
  }

  disconnect(clusterId: string): Promise<void> {
    this.open.delete(clusterId);
    return Promise.resolve();
  }
}

/** The retry hint of an unreachable cluster. */
export const retryAfterUnreachableMs = 1_234;

function unreachableCluster(clusterId: string): HsmCluster {
  const retry = { retryable: true, retryAfterMs: retryAfterUnreachableMs };
  const fail = (): Promise<never> => Promise.reject(new HoldfastError('KEY_UNAVAILABLE', 'no member', retry));
  return {
    clusterId,
    perform: fail,
  };
}
