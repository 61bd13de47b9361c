import { ActAudit, serviceActor } from '../audit/act-audit.js';
import type { HsmClusters } from '../clusters/hsm-cluster.js';
import type { LoadCatalog } from '../clusters/load-catalog.js';
import type { LeaseTools } from '../coordination/held-lease.js';
import { throttledClusters } from '../clusters/throttled-clusters.js';
import type { ClusterReplication, Configuration } from '../config/configuration.js';
import { readDefaultKeyStorePin, type ResolvedSecrets } from '../config/secrets.js';
import { ConfiguredHsmClusters, type HsmClustersTools } from '../hsm/clusters.js';
import type { MemberPlace } from '../hsm/events.js';
import type { LoginTools } from '../hsm/login-attempt.js';
import { loadAddon } from '../hsm/native.js';
import { ConfiguredPinTrials } from '../hsm/pin-trial.js';
import { readReturnValues } from '../hsm/return-values.js';
import type { IntentRecovery } from '../jobs/intent-recovery.js';
import type { KeyDeletion } from '../jobs/key-deletion.js';
import { LoadWatch } from '../jobs/load-watch.js';
import { PinRotations, type PinRotationTools } from '../jobs/pin-rotation.js';
import type { PinSchedule } from '../jobs/pin-schedule.js';
import type { Reconciler } from '../jobs/reconciler.js';
import type { RollbackGuard } from '../jobs/rollback-guard.js';
import type { WitnessRefresh } from '../jobs/witness-refresh.js';
import { expectedMaterials } from '../keys/cluster-materials.js';
import type { KeysCore } from '../keys/core.js';
import { EncryptionBudget } from '../keys/encryption-budget.js';
import type { KeyStoreAdministration } from '../keystores/administration.js';
import { presentCredential } from '../keystores/connection-targets.js';
import { DefaultPin } from '../keystores/default-pin.js';
import type { PasswordSealer } from '../keystores/catalog.js';
import { fixedRegistryTimes, KeyStoreRegistry } from '../keystores/registry.js';
import { createPasswordSealer } from '../storage/password-sealer.js';
import { backgroundErrorEvent, connectionEvents, encryptionBudgetEvents, hsmEvents } from '../telemetry/events.js';
import { defaultPinEvents } from '../telemetry/configuration-events.js';
import { hedgeCounter, tryCounter } from '../telemetry/hsm-metrics.js';
import { countedLoginAttempts } from '../telemetry/login-metrics.js';
import { ownActEvents } from '../telemetry/own-act-events.js';
import type { Backups } from '../jobs/backups.js';
import { composeBackups } from './backups.js';
import { type ClusterParts, ConfiguredClusterAdministration } from './cluster-administration.js';
import { clusterOptions, operationQuotas } from './cluster-options.js';
import { DefaultPinReload, type DefaultPinReloadTools } from './default-pin-reload.js';
import type { Foundation } from './foundation.js';
import { HangTracker } from './hang-tracker.js';
import { oneAtATime } from './inventory-check.js';
import { composeOwnActs, type OwnActs, type Witnessing } from './own-acts.js';
import type { MemberKnowledge } from './member-status.js';
import { composePinSchedule } from './pin-schedule.js';
import { connectionReactions, hsmReactions, reportAndReact, type Reactions } from './reactions.js';

/** The key stores and the operations on top of them. */
export interface Core {
  registry: KeyStoreRegistry;
  keys: KeysCore;
  keyStores: KeyStoreAdministration;
  pinRotations: PinRotations;
  pinSchedule: PinSchedule;
  defaultPinReload: DefaultPinReload;
  keyDeletion: KeyDeletion;
  intentRecovery: IntentRecovery;
  reconciler: Reconciler;
  rollbackGuard: RollbackGuard;
  witnesses: WitnessRefresh;
  hangTracker: HangTracker;
  /** Called when a key store or a member may have stopped or resumed serving. */
  changes: { onChange: () => void };
  configuredClusters: ConfiguredHsmClusters;
  clusters: ConfiguredClusterAdministration;
  loads: LoadWatch;
  backups: Backups;
  members: MemberKnowledge;
  encryptionBudget: EncryptionBudget;
}

/** Builds the key stores and their operations from the configuration. Takes ownership of the secrets. */
export async function composeCore(foundation: Foundation, secrets: ResolvedSecrets): Promise<Core> {
  const { configuration, clock, catalog, identifiers, telemetry, presence } = foundation;
  const { sink } = telemetry;
  const passwordSealer = createPasswordSealer(secrets.sealingKeys);
  for (const { key } of secrets.sealingKeys) key.destroy();
  const hangTracker = new HangTracker();
  const { encryptionWarningThreshold: warningThreshold } = configuration.limits;
  const encryptionBudget = new EncryptionBudget({ catalog, warningThreshold, ...encryptionBudgetEvents(sink) });
  const changes = { onChange: (): void => undefined };
  const reactions: Reactions = {
    checkInventory: oneAtATime((clusterId) => jobs.reconciler.check(clusterId)),
    noteMissing: (clusterId) => jobs.reconciler.noteMissing(clusterId),
    lookAtReadiness: () => changes.onChange(),
    hangTracker,
  };
  const loginTools = composeLoginTools(foundation);
  const defaultPin = defaultPinOf(foundation, secrets, passwordSealer);
  const configuredClusters = await composeClusters(foundation, {
    encryptionBudget,
    reactions,
    ...{ passwordSealer, loginTools, defaultPin },
    judgeWitnesses: (place, witnesses) => jobs.rollbackGuard.judge(place, witnesses),
  });
  const membersOf = (clusterId: string) => configuredClusters.membersOf(clusterId);
  const hsmClusters = throttledClusters(configuredClusters, operationQuotas(configuration), clock);
  const registry = keyStoreRegistry(foundation, defaultPin, { passwordSealer, hsmClusters, reactions });
  const keys: KeysCore = {
    catalog,
    keyStores: registry,
    identity: configuration.identity,
    clock,
    identifiers,
    onBackgroundError: backgroundErrorEvent(sink),
  };
  const leases = { leases: catalog, clock, holder: presence.processName };
  const pinTrials = new ConfiguredPinTrials(loginTools, membersOf);
  const pinRotations = composePinRotations(foundation, { passwordSealer, pinChanges: pinTrials, leases });
  const keyStores: KeyStoreAdministration = {
    ...{ keyStoreCatalog: catalog, pinRotationCatalog: catalog, passwordSealer, hsmClusters },
    ...{ pinTrials, pinRotations, connectionJobs: registry, clock, identifiers },
    defaultClusterId: configuration.defaultKeyStore?.cluster ?? null,
    ...{ defaultPin, isDefaultConnected: () => registry.defaultConnection()?.connected === true },
  };
  const jobs: OwnActs = await ownActs(foundation, keys, leases);
  const loads = loadWatch(keys, presence.processName, catalog, configuredClusters);
  const members = knowledgeOfMembers(jobs);
  const clusters = clusterAdministration({ ...keys, configuredClusters, maintenance: catalog, loads }, jobs, members);
  const backups = composeBackups(foundation, keys, configuredClusters, leases);
  const pinSchedule = composePinSchedule(foundation, { registry, configuredClusters, keyStores, leases });
  const defaultPinReload = composeDefaultPinReload(foundation, { defaultPin, sealer: passwordSealer, pinTrials });
  const shown = { pinRotations, pinSchedule, defaultPinReload, configuredClusters, clusters, loads, backups, members };
  return { registry, keys, keyStores, hangTracker, changes, ...shown, ...jobs, encryptionBudget };
}

function defaultPinOf(
  { configuration: { defaultKeyStore }, catalog, clock }: Pick<Foundation, 'configuration' | 'catalog' | 'clock'>,
  { defaultKeyStorePin: pin }: ResolvedSecrets,
  sealer: PasswordSealer,
): DefaultPin | null {
  if (defaultKeyStore === null || pin === null) return null;
  return new DefaultPin(defaultKeyStore.cluster, pin, { catalog, sealer, clock });
}

function composeDefaultPinReload(
  { configuration, clock, telemetry }: Foundation,
  parts: Pick<DefaultPinReloadTools, 'defaultPin' | 'sealer' | 'pinTrials'>,
): DefaultPinReload {
  return new DefaultPinReload({
    ...{ ...parts, clock, timeoutMs: configuration.limits.connectTimeoutMs },
    read: () => readDefaultKeyStorePin(configuration),
    events: defaultPinEvents(telemetry.sink),
  });
}

function composePinRotations(
  { clock, catalog, auditFile, identifiers, telemetry: { sink } }: Foundation,
  parts: Pick<PinRotationTools, 'passwordSealer' | 'pinChanges' | 'leases'>,
): PinRotations {
  const { onActed } = ownActEvents(sink);
  const audit = new ActAudit({ auditLog: auditFile, clock, identifiers, actor: serviceActor, onActed });
  return new PinRotations({ ...parts, catalog, audit, clock, onBackgroundError: backgroundErrorEvent(sink) });
}

function keyStoreRegistry(
  { configuration, clock, catalog, telemetry }: Foundation,
  defaultKeyStore: DefaultPin | null,
  parts: { passwordSealer: PasswordSealer; hsmClusters: HsmClusters; reactions: Reactions },
): KeyStoreRegistry {
  const { limits } = configuration;
  const { passwordSealer, hsmClusters, reactions } = parts;
  return new KeyStoreRegistry({
    ...fixedRegistryTimes,
    keyStoreCatalog: catalog,
    passwordSealer,
    hsmClusters,
    clock,
    events: reportAndReact(connectionEvents(telemetry.sink), connectionReactions(reactions)),
    random: Math.random,
    connectTimeoutMs: limits.connectTimeoutMs,
    closeTimeoutMs: limits.drainTimeoutMs,
    defaultKeyStore,
  });
}

function ownActs(foundation: Foundation, keys: KeysCore, leases: LeaseTools): Promise<OwnActs> {
  const { configuration, telemetry, createdCatalog, auditFile } = foundation;
  return composeOwnActs(
    keys,
    auditFile,
    leases,
    ownActEvents(telemetry.sink),
    createdCatalog,
    reconciledClusters(configuration),
    witnessing(foundation),
  );
}

function knowledgeOfMembers({ intentRecovery, witnesses }: OwnActs): MemberKnowledge {
  return {
    unaccountedMaterials: (...place) => intentRecovery.unaccountedMaterials(...place),
    witnessOf: (...place) => witnesses.statusOf(...place),
  };
}

function clusterAdministration(
  parts: Pick<ClusterParts, 'configuredClusters' | 'maintenance' | 'loads' | 'clock' | 'onBackgroundError'>,
  { reconciler }: Pick<OwnActs, 'reconciler'>,
  members: MemberKnowledge,
): ConfiguredClusterAdministration {
  return new ConfiguredClusterAdministration({
    ...parts,
    reconciler,
    members,
  });
}

/** Between the end of a creation and the first repair of its key, in milliseconds. */
const settlingMs = 60_000;

/** The clusters whose members should be alike, and how fast keys are copied. */
function reconciledClusters({ clusters, limits }: Configuration) {
  const idsOf = (kind: ClusterReplication): string[] =>
    clusters.filter(({ replication }) => replication === kind).map(({ id }) => id);
  const vendorClusterIds = idsOf('vendor');
  const clusterIds = [...idsOf('wrapped'), ...vendorClusterIds];
  // A creation copies for as long as its request may take.
  const settledAfterMs = settlingMs + limits.requestTimeoutMs;
  return { clusterIds, vendorClusterIds, copiesPerSecond: limits.reconcileCopiesPerSecond, settledAfterMs };
}

/** The default key store's cluster and those of custom key stores alike. */
function witnessing({ catalog, configuration, acceptsRollback }: Foundation): Witnessing {
  return { catalog, acceptsRollback, clusterIds: () => configuration.clusters.map(({ id }) => id) };
}

/** Measures the members that take work. */
function loadWatch(
  { clock, onBackgroundError }: KeysCore,
  processName: string,
  catalog: LoadCatalog,
  configuredClusters: ConfiguredHsmClusters,
): LoadWatch {
  const lanes = () =>
    configuredClusters.status().map(({ clusterId, members }) => ({
      clusterId,
      members: members.flatMap(({ name, statistics }) =>
        statistics?.admitted === true
          ? [{ name, operations: statistics.operations, busyMs: statistics.busyMs, lanes: statistics.laneTarget }]
          : [],
      ),
    }));
  return new LoadWatch({ clock, onBackgroundError, processName, catalog, lanes });
}

function composeLoginTools({ configuration, clock, catalog, presence, telemetry }: Foundation): LoginTools {
  const addon = loadAddon();
  const loginAttempts = countedLoginAttempts(catalog, telemetry.sink.metrics);
  const returnValues = readReturnValues(addon.returnValues());
  return { addon, loginAttempts, returnValues, presence, clock, lockDirectory: configuration.lockDirectory };
}

interface ClustersParts {
  encryptionBudget: EncryptionBudget;
  reactions: Reactions;
  passwordSealer: PasswordSealer;
  loginTools: LoginTools;
  defaultPin: DefaultPin | null;
  judgeWitnesses: HsmClustersTools['judgeWitnesses'];
}

async function composeClusters(
  foundation: Foundation,
  { encryptionBudget, reactions, passwordSealer, loginTools, judgeWitnesses, defaultPin }: ClustersParts,
): Promise<ConfiguredHsmClusters> {
  const { configuration, clock, catalog, clusterOverrides, telemetry } = foundation;
  const { metrics } = telemetry.sink;
  const events = reportAndReact(hsmEvents(telemetry.sink, clock), hsmReactions(reactions));
  const counters = metrics && { onTried: tryCounter(metrics), hedgeListener: hedgeCounter(metrics) };
  const tools = {
    ...{ ...loginTools, addon: loadAddon(), encryptionBudget, events, ...counters },
    presentCredential: async (place: MemberPlace) =>
      place.clusterId === configuration.defaultKeyStore?.cluster
        ? defaultPin?.present(place.memberName)
        : presentCredential({ keyStoreCatalog: catalog, passwordSealer }, place),
    maintenance: catalog,
    judgeWitnesses,
    expectedMaterials: expectedMaterials(catalog, backgroundErrorEvent(telemetry.sink)),
  };
  return new ConfiguredHsmClusters(
    tools,
    (await Promise.all(configuration.clusters.map((cluster) => clusterOptions(cluster, configuration)))).map(
      (cluster) => ({ ...cluster, ...clusterOverrides }),
    ),
  );
}
