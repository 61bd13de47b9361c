/** A deployment whose custom key store is on several members with the same keys, each behind the fault-injecting module. */
import { randomBytes } from 'node:crypto';
import type { FaultHsm } from '../native/fault-hsm.js';
import { newMember, runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment } from './deployment.js';
import { configured, modulesOf } from './wrapped-deployment.js';

export class MembersDeployment {
  storeId = '';
  keyId = '';

  private constructor(
    readonly deployment: Deployment,
    readonly members: readonly SoftHsmMember[],
  ) {}

  /** Members `a`, `b`, … after a ceremony. The key store is not made yet. */
  static async make(count: number, configure: (configuration: Message) => void): Promise<MembersDeployment> {
    let members: SoftHsmMember[] = [];
    const deployment = new Deployment({
      // The token that every deployment makes for this cluster stays unused.
      configure(configuration, _, custom) {
        members = Array.from({ length: count }, (_unused, index) => newMember('abcdefgh'.charAt(index), custom));
        Object.assign(configuration['modules'] as Message, modulesOf(members));
        const tokens = members.map((member) => configured(member, custom.tokenLabel));
        const cluster = (configuration['clusters'] as Message[]).find(({ id }) => id === custom.clusterId);
        Object.assign(cluster ?? {}, { replication: 'wrapped', minimumMembers: 2, members: tokens });
        configure(configuration);
      },
    });
    await runCeremony(members, 1, deployment.customCluster);
    return new MembersDeployment(deployment, members);
  }

  get faults(): readonly FaultHsm[] {
    return this.members.map(({ fault }) => fault);
  }

  fault(index: number): FaultHsm {
    const fault = this.faults[index];
    if (fault === undefined) throw new Error(`There is no member ${index}.`);
    return fault;
  }

  /** Makes the key store, connects it, and makes a key. */
  async connect(client: HoldfastClient): Promise<void> {
    this.storeId = await connectedKeyStore(client, this.deployment);
    const request = { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: this.storeId };
    const created = (await client.call('CreateKey', request))['key_metadata'] as Message;
    this.keyId = created['key_id'] as string;
  }

  async encrypt(client: HoldfastClient): Promise<void> {
    await client.call('Encrypt', { key_id: this.keyId, plaintext: randomBytes(8) });
  }

  /** Whether all members of the key store take work. */
  async isWhole(client: HoldfastClient): Promise<boolean> {
    const status = await client.call('GetStatus');
    const store = (status['key_stores'] as Message[]).find(({ custom_key_store_id: id }) => id === this.storeId);
    const members = (store?.['members'] ?? []) as Message[];
    return members.length > 0 && members.every((member) => member['state'] === 'MEMBER_STATE_SERVING');
  }

  dispose(): void {
    for (const fault of this.faults) fault.heal();
    this.deployment.dispose();
    for (const { hsm } of this.members) hsm.dispose();
  }
}
