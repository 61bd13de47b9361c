import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import type { HoldfastClient, Message } from './client.js';
import { account, type ClusterOfTest, Deployment, region, type RunningServer } from './deployment.js';

/** The server's date stands still, which makes dates known; its timers and deadlines run. */
export const now = new Date('2026-02-03T04:05:06.789Z');
const clock: Clock = {
  now: () => new Date(now),
  monotonicMs: () => systemClock.monotonicMs(),
  boot: () => systemClock.boot(),
  schedule: (delayMs, task) => systemClock.schedule(delayMs, task),
};

export const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A date as the client of the tests reads it. */
export const timestamp = (date: Date) => ({
  seconds: String(Math.floor(date.getTime() / 1000)),
  nanos: date.getMilliseconds() * 1_000_000,
});
export const keyArn = (keyId: unknown): string => `arn:aws:kms:${region}:${account}:key/${String(keyId)}`;
export const aliasArn = (aliasName: string): string => `arn:aws:kms:${region}:${account}:${aliasName}`;
export const bytes = (value: unknown): Buffer => Buffer.from(value as Uint8Array);

/** A server whose every method is called, and the methods answered so far. */
export class MethodBench {
  readonly deployment = new Deployment({ customClusters: ['first', 'second', 'spare'] });
  readonly succeeded = new Set<string>();
  #server: RunningServer | undefined;
  #client: HoldfastClient | undefined;

  async start(): Promise<void> {
    this.#server = await this.deployment.start({ clock });
    this.#client = this.#server.client();
    await this.#server.defaultKeyStoreConnected(this.#client);
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    expect(this.deployment.findSecrets()).toEqual([]);
    this.deployment.dispose();
  }

  get client(): HoldfastClient {
    if (this.#client === undefined) throw new Error('The server has not started.');
    return this.#client;
  }

  readonly call = async (method: string, request: Message = {}): Promise<Message> => {
    const response = await this.client.call(method, request);
    this.succeeded.add(method);
    return response;
  };

  readonly cluster = (label: string): ClusterOfTest => {
    const found = this.deployment.customClusters.find(({ tokenLabel }) => tokenLabel === label);
    if (found === undefined) throw new Error(`No cluster ${label}.`);
    return found;
  };

  readonly createStore = (label: string): Promise<Message> =>
    this.call('CreateCustomKeyStore', {
      custom_key_store_name: `store ${label}`,
      cloud_hsm_cluster_id: this.cluster(label).clusterId,
      trust_anchor_certificate: this.deployment.trustAnchor,
      key_store_password: this.cluster(label).pin,
      custom_key_store_type: 'CUSTOM_KEY_STORE_TYPE_AWS_CLOUDHSM',
    });

  readonly createKey = async (request: Message = {}): Promise<Message> =>
    (await this.call('CreateKey', request))['key_metadata'] as Message;

  readonly keyState = async (keyId: unknown): Promise<unknown> => {
    const { key_metadata: metadata } = await this.call('DescribeKey', { key_id: keyId });
    return (metadata as Message)['key_state'];
  };

  readonly plaintextOf = (length: number): Buffer => {
    const plaintext = randomBytes(length);
    this.deployment.ledger.add('plaintext', plaintext);
    return plaintext;
  };
}
