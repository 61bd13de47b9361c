/** A cluster with `replication: wrapped` on real SoftHSM members, after a real ceremony, with a real catalog. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActAudit, serviceActor } from '../src/audit/act-audit.js';
import type { AuditEvent } from '../src/audit/event.js';
import { keyMakers } from '../src/cli/ceremony/ceremony-kind.js';
import { systemClock } from '../src/clock-system.js';
import type { ConnectOutcome, HsmCluster, MacLength, MaterialReference } from '../src/clusters/hsm-cluster.js';
import { Presence } from '../src/coordination/presence.js';
import { type ClusterOptions, ConfiguredHsmClusters, type MemberOptions } from '../src/hsm/clusters.js';
import { loadAddon } from '../src/hsm/native.js';
import type { NativeCeremonyMember } from '../src/hsm/native-ceremony.js';
import { materialIdBytes, secretKeyClass } from '../src/hsm/material-cache.js';
import { nativeProfile, type ProfileSetting } from '../src/hsm/profiles/effective-profile.js';
import type { VendorProfile } from '../src/hsm/profiles/profile.js';
import { vendorProfiles } from '../src/hsm/profiles/profiles.js';
import { randomIdentifiers } from '../src/ids.js';
import { canaryAdditionalData, canaryPlaintext } from '../src/keys/canary.js';
import { expectedMaterials } from '../src/keys/cluster-materials.js';
import type { KeyRecord } from '../src/keys/key.js';
import { Secret } from '../src/secret.js';
import type { SqliteCatalog } from '../src/storage/sqlite.js';
import { openTestCatalog } from './catalog-file.js';
import {
  clusterId,
  clusterOptions,
  inTime,
  pin,
  RecordedSpending,
  recordingEvents,
  soon,
  tokenLabel,
} from './hsm/fixture.js';
import { type FaultHsm, putFaultsBefore, type RealHsm } from './native/fault-hsm.js';
import { createSoftHsm, type SoftHsm } from './softhsm.js';
import { cloneSoftHsm } from './vendor-copies.js';

export interface WrappedMember {
  name: string;
  hsm: RealHsm & { dispose(): void };
  fault: FaultHsm;
  /** Left out: that of the cluster. */
  tokenLabel?: string;
  /** Left out: SoftHSM's. */
  profile?: VendorProfile;
}

/** A member on SoftHSM. */
export interface SoftHsmMember extends WrappedMember {
  hsm: SoftHsm;
}

/** The names that a cluster's tokens share. */
export interface ClusterOfTokens {
  clusterId: string;
  tokenLabel: string;
  pin: string;
}

const usual: ClusterOfTokens = { clusterId, tokenLabel, pin };

const officerPinOf = ({ pin: userPin }: ClusterOfTokens): string => `so-${userPin}`;

/** An "HSM" with one empty token. */
export function newMember(name: string, of = usual): SoftHsmMember {
  const hsm = createSoftHsm({ tokens: [{ label: of.tokenLabel, userPin: of.pin, soPin: officerPinOf(of) }] });
  return { name, hsm, fault: putFaultsBefore(hsm) };
}

/** The same for recovery: its label is its name, and its user PIN is its own. */
export function newRecoveryMember(name: string, userPin: string, of = usual): SoftHsmMember {
  const hsm = createSoftHsm({ tokens: [{ label: name, userPin, soPin: officerPinOf(of) }] });
  return { name, hsm, fault: putFaultsBefore(hsm), tokenLabel: name };
}

/** Runs a whole ceremony over all members. */
export async function runCeremony(
  members: readonly WrappedMember[],
  generation: number,
  of = usual,
  enforced = true,
): Promise<void> {
  const taking = members.map((member) => ceremonyMember(member, of.tokenLabel));
  const ceremony = await loadAddon().openCeremony(of.clusterId, generation, taking, enforced);
  try {
    for (const [index, { maker }] of taking.entries())
      await ceremony.logIn(index, new TextEncoder().encode(maker === 'officer' ? officerPinOf(of) : of.pin));
    await ceremony.prepare(false);
    await ceremony.complete();
  } finally {
    await ceremony.close();
  }
}

/** The member as it is, without faults before it. */
export function ceremonyMember(
  { name, hsm, tokenLabel: ownLabel, profile = vendorProfiles.softhsm }: WrappedMember,
  label = tokenLabel,
): NativeCeremonyMember {
  const { libraryPath, environment, initializationString = null, shared } = hsm;
  return {
    name,
    module: { libraryPath, environment, privateInstance: shared !== true, initializationString },
    tokenLabel: ownLabel ?? label,
    tokenSerialNumber: null,
    profile: nativeProfile(profile, []),
    maker: keyMakers[profile.ceremony.value],
  };
}

/** What a program with the PIN can do. */
interface Intruder {
  /** Makes a key of the same attributes as a cluster does. */
  plant(materialId: string, label: string): Promise<void>;
  destroy(materialId: string): Promise<void>;
  close(): Promise<void>;
}

const aes = { keyUsage: 'ENCRYPT_DECRYPT', keySpec: 'SYMMETRIC_DEFAULT' } as const;
const hmac = { keyUsage: 'GENERATE_VERIFY_MAC', keySpec: 'HMAC_256' } as const;

/** One process on the cluster: its own connection, and a catalog that it may share with others. */
export class WrappedCluster {
  readonly events: string[] = [];
  readonly spending = new RecordedSpending();
  readonly auditEvents: AuditEvent[] = [];
  readonly backgroundErrors: { error: unknown; what: string }[] = [];
  readonly #catalogs: SqliteCatalog[] = [];
  readonly #opened: ConfiguredHsmClusters[] = [];

  private constructor(
    readonly folder: string,
    readonly members: WrappedMember[],
    readonly catalog: SqliteCatalog,
    readonly change: Partial<ClusterOptions>,
  ) {}

  /** Members `a`, `b`, … after a ceremony. */
  static make(memberCount: number, change: Partial<ClusterOptions> = {}): Promise<WrappedCluster> {
    return WrappedCluster.of(
      Array.from({ length: memberCount }, (_, index) => newMember('abcdefgh'.charAt(index))),
      change,
    );
  }

  /** These members after a ceremony. */
  static async of(members: WrappedMember[], change: Partial<ClusterOptions> = {}): Promise<WrappedCluster> {
    await runCeremony(members, 1, usual, change.trust !== 'unenforced');
    return WrappedCluster.on(members, { minimumMembers: Math.min(2, members.length), ...change });
  }

  /** Members `a`, `b`, … of a vendor's cluster: alike from the start, and kept so by nothing yet. */
  static async makeVendors(memberCount: number, change: Partial<ClusterOptions> = {}): Promise<WrappedCluster> {
    const first = newMember('a');
    const others = Array.from({ length: memberCount - 1 }, (_, index) => {
      const hsm = cloneSoftHsm(first.hsm);
      return { name: 'bcdefgh'.charAt(index), hsm, fault: putFaultsBefore(hsm) };
    });
    const minimumMembers = Math.min(2, memberCount);
    return WrappedCluster.on([first, ...others], { replication: 'vendor', minimumMembers, ...change });
  }

  /** One process on these members. */
  private static async on(members: WrappedMember[], change: Partial<ClusterOptions>): Promise<WrappedCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-wrapped-'));
    mkdirSync(join(folder, 'locks'), { mode: 0o700 });
    const catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock: systemClock });
    const cluster = new WrappedCluster(folder, members, catalog, change);
    cluster.#catalogs.push(catalog);
    return cluster;
  }

  member(index: number): WrappedMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`There is no member ${index}.`);
    return member;
  }

  /** As the configuration would name it. */
  memberOptions({ name, fault, hsm, tokenLabel: ownLabel = tokenLabel }: WrappedMember): MemberOptions {
    const module = { ...fault.module, privateInstance: hsm.shared !== true };
    return { name, module, tokenLabel: ownLabel, tokenSerialNumber: null, laneCount: 2 };
  }

  /** The clusters of one process, made anew by each call. @param change of the configuration, for this process */
  clusters(change: Partial<ClusterOptions> = {}, profile?: ProfileSetting): ConfiguredHsmClusters {
    const onBackgroundError = (error: unknown, what: string): void => void this.backgroundErrors.push({ error, what });
    const tools = {
      addon: loadAddon(),
      loginAttempts: this.catalog,
      presence: new Presence(this.catalog, 'a process'),
      encryptionBudget: this.spending,
      expectedMaterials: expectedMaterials(this.catalog, onBackgroundError),
      maintenance: this.catalog,
      clock: systemClock,
      events: recordingEvents(this.events),
      lockDirectory: join(this.folder, 'locks'),
    };
    const ofProfile = profile === undefined ? {} : { profile };
    const members = this.members.map((member) => ({ ...this.memberOptions(member), ...ofProfile }));
    const options = { ...clusterOptions, replication: 'wrapped', members, ...this.change, ...change } as const;
    const clusters = new ConfiguredHsmClusters(tools, [options]);
    this.#opened.push(clusters);
    return clusters;
  }

  connect(needs: 'minimum' | 'one' = 'one', clusters = this.clusters()): Promise<ConnectOutcome> {
    return clusters.connect(clusterId, Secret.fromUtf8(pin), 'store:1', soon(), needs);
  }

  async connected(clusters = this.clusters()): Promise<HsmCluster> {
    const outcome = await this.connect('one', clusters);
    if (!outcome.connected) throw new Error(`not connected: ${outcome.errorCode}`, { cause: outcome.cause });
    return outcome.cluster;
  }

  /** The dependencies of the periodic jobs. */
  own(holder = 'a process') {
    const append = (event: AuditEvent): Promise<void> => {
      this.auditEvents.push(event);
      return Promise.resolve();
    };
    const auditLog = { append, healthy: () => true };
    const identifiers = randomIdentifiers;
    const tools = { auditLog, clock: systemClock, identifiers, actor: serviceActor, onActed: () => undefined };
    return {
      audit: new ActAudit(tools),
      leases: { leases: this.catalog, clock: systemClock, holder },
      timeWatch: { verifiedNow: () => Promise.resolve(systemClock.now()) },
      // Nothing here rolls a catalog back.
      witness: { beforeDestruction: () => Promise.resolve() },
    };
  }

  /** A key as CreateKey makes it, in the catalog. */
  async makeKey(
    cluster: HsmCluster,
    macLength?: MacLength,
  ): Promise<{ material: MaterialReference; memberNames: string[]; key: KeyRecord }> {
    const keyId = randomUUID();
    const materialId = randomIdentifiers.materialId();
    const scope = { account: '111122223333', region: 'eu-central-1' };
    const label = `arn:aws:kms:${scope.region}:${scope.account}:key/${keyId}`;
    const creationDate = new Date(systemClock.now().getTime() - 3_600_000);
    const intent = { ...scope, materialId, keyId, clusterId, openedDate: creationDate, abandonedDate: null };
    await this.catalog.openIntent({ ...intent, state: 'open' });
    const made = await cluster.perform('generateKeyMaterial', { materialId, label, macLength }, inTime());
    const { canary, extractable, memberNames } = made;
    const key: KeyRecord = {
      ...scope,
      keyId,
      clusterId,
      creationDate,
      description: '',
      ...(macLength === undefined ? aes : hmac),
      origin: 'AWS_KMS',
      customKeyStoreId: null,
      state: 'Enabled',
      deletionDate: null,
      pendingDeletionWindowInDays: null,
      currentMaterialId: materialId,
    };
    const material = { materialId, label, extractable, canary };
    await this.catalog.commitKey(key, { ...material, keyId, clusterId, creationDate, destroyedDate: null });
    return { material, memberNames, key };
  }

  /** Another session with the PIN on a member's token, like that of another program. */
  async intruder(index: number): Promise<Intruder> {
    const pool = loadAddon().createPool(10);
    const { libraryPath, environment } = this.member(index).hsm;
    const module = { libraryPath, environment, privateInstance: true, initializationString: null };
    const lanes = { laneCount: 1, maxQuarantinedLanes: 1, maxStuckOpenings: 1 };
    const { member } = await pool.openMember({ module, tokenLabel, tokenSerialNumber: null, ...lanes }, soon());
    pool.setProfile(member, nativeProfile(vendorProfiles.softhsm, []), 1);
    await pool.loginMember(member, new TextEncoder().encode(pin), soon(), null);
    pool.resume(member);
    return {
      async plant(materialId, label) {
        const canary = [canaryPlaintext(materialId), canaryAdditionalData(materialId)] as const;
        await pool.generateKey(member, materialIdBytes(materialId), label, ...canary, true, soon());
      },
      async destroy(materialId) {
        await pool.destroyKey(member, secretKeyClass, materialIdBytes(materialId), soon());
      },
      async close() {
        await pool.close(soon());
      },
    };
  }

  /** Disconnects everything that was connected. */
  async close(): Promise<void> {
    for (const clusters of this.#opened.splice(0)) await clusters.disconnect(clusterId, soon());
  }

  async dispose(): Promise<void> {
    for (const { fault } of this.members) fault.heal();
    await this.close();
    for (const catalog of this.#catalogs) await catalog.close();
    for (const { hsm } of this.members) hsm.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
