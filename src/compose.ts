import type { Logger } from 'pino';
import { clusterOptions, operationQuotas } from './composition/cluster-options.js';
import { firstReservedFileDescriptor } from './composition/file-descriptors.js';
import { HangTracker } from './composition/hang-tracker.js';
import {
  type InventoryCheck,
  oneAtATime,
  withInventoryCheck,
  withMemberInventoryCheck,
} from './composition/inventory-check.js';
import { CertificateReload } from './composition/certificate-reload.js';
import { listenerOptions } from './composition/listener-options.js';
import { composeOwnActs } from './composition/own-acts.js';
import { configuredAuthorizer } from './composition/authorizer.js';
import { principalOf } from './composition/principals.js';
import { lookingAfterConnections, lookingAfterMembers, ReadinessWatch } from './composition/readiness-watch.js';
import { serverStatus } from './composition/server-status.js';
import type { ServerStatus } from './composition/service-status.js';
import type { Configuration } from './config/configuration.js';
import type { ResolvedSecrets } from './config/secrets.js';
import { AuditedDispatcher } from './api/dispatcher.js';
import type { BoundAddress } from './faces/grpc/listener.js';
import { type GrpcFace, startGrpcFace } from './faces/grpc/server.js';
import {
  closeFoundation,
  type CompositionOverrides,
  type Foundation,
  leastAuditCloseMs,
  openFoundation,
} from './foundation.js';
import { ConfiguredHsmClusters } from './hsm/clusters.js';
import { loadAddon } from './hsm/native.js';
import { ProcessReplacement, type ReplacementState } from './hsm/process-replacement.js';
import type { KeysCore } from './keys/core.js';
import type { KeyDeletion } from './jobs/key-deletion.js';
import type { IntentRecovery } from './jobs/intent-recovery.js';
import type { KeyStoreAdministration } from './keystores/administration.js';
import { defaultRegistryTimes, KeyStoreRegistry } from './keystores/registry.js';
import { throttledClusters } from './clusters/throttled-clusters.js';
import { EncryptionBudget } from './keys/encryption-budget.js';
import { operations } from './operations/registry.js';
import { createPasswordSealer } from './storage/password-sealer.js';
import {
  backgroundErrorEvent,
  connectionEvents,
  descriptorEvent,
  encryptionBudgetEvents,
  hsmEvents,
  ownActEvents,
  readinessEvent,
  replacementEvent,
  requestEvent,
} from './telemetry/events.js';
import { faceEvents, unknownCallerEvent } from './telemetry/caller-events.js';
import { certificateReloadEvents, certificateReminder } from './telemetry/certificate-events.js';
import { hedgeCounter, tryCounter } from './telemetry/hsm-metrics.js';
import { countedLoginAttempts } from './telemetry/login-metrics.js';

/** What hangs after a stop, if anything does: the process must then end by `exitNow`. */
export interface StopOutcome {
  /** A lane is still inside a module. */
  lanesHung: boolean;
  /** The audit log's file blocks: records that wait for it are lost. */
  auditHung: boolean;
}

/** A composed, running server. */
export interface HoldfastServer {
  /** Where it listens, in the order of the configuration's listeners. */
  readonly bound: readonly BoundAddress[];
  /** The port of the metrics; undefined where they are not served. */
  readonly metricsPort: number | undefined;
  /** The jobs that rounds of the clock start; tests start a round themselves. */
  readonly keyDeletion: KeyDeletion;
  readonly intentRecovery: IntentRecovery;
  /** Resolves when the process is to stop and be replaced by another one, because an HSM is stuck in it. */
  readonly replacementAsked: Promise<void>;
  /** Reads certificates, keys and revocation lists again and reopens the audit log (SIGHUP). */
  reload(): Promise<void>;
  /** Drains, closes and flushes, all within a bound: a job whose HSM hangs ends when its key store is closed. */
  stop(): Promise<StopOutcome>;
}

/** The key stores and the use cases on top of them. */
interface Core {
  registry: KeyStoreRegistry;
  keys: KeysCore;
  keyStores: KeyStoreAdministration;
  keyDeletion: KeyDeletion;
  intentRecovery: IntentRecovery;
  hangTracker: HangTracker;
  /** Told when a key store or a member may serve no more, or again. */
  changes: { onChange: () => void };
  configuredClusters: ConfiguredHsmClusters;
  encryptionBudget: EncryptionBudget;
}

/**
 * Wires every concrete class together and starts to serve. The only place that knows them all.
 * The secrets are taken over: they are destroyed when they are no longer needed.
 * Rejects, with everything closed again, when a file, a certificate or an address cannot be used.
 */
export async function compose(
  configuration: Configuration,
  secrets: ResolvedSecrets,
  logger: Logger,
  overrides: CompositionOverrides = {},
): Promise<HoldfastServer> {
  const foundation = await openFoundation(configuration, secrets, logger, overrides);
  const server = await composeServer(foundation, secrets);
  try {
    await server.start();
    return server;
  } catch (error) {
    // It listens already, and its key stores connect.
    await server.stop();
    throw error;
  }
}

async function composeServer(foundation: Foundation, secrets: ResolvedSecrets): Promise<RunningServer> {
  try {
    const core = await composeCore(foundation, secrets);
    let replacementState = (): ReplacementState => 'none';
    let reload = (): CertificateReload | undefined => undefined;
    const status = serverStatus(
      { ...foundation, ...core },
      {
        replacement: () => replacementState(),
        certificates: () => reload()?.status() ?? [],
        certificateTrouble: () => reload()?.trouble ?? null,
      },
    );
    const { face, certificates } = await startFace(foundation, core, status);
    reload = () => certificates;
    const replacement = watchForReplacement(foundation, core, face);
    replacementState = () => replacement.state;
    const readiness = watchReadiness(foundation, core, status, face);
    foundation.telemetry.watch({
      clusters: () => core.configuredClusters.status(),
      encryptionBudget: core.encryptionBudget,
      status: () => status.status(),
      ready: () => readiness.ready,
      faceLoad: () => face.load(),
    });
    return new RunningServer(foundation, core, { face, certificates, replacement, readiness });
  } catch (error) {
    secrets.defaultKeyStorePin?.destroy();
    await closeFoundation(foundation, leastAuditCloseMs);
    throw error;
  }
}

async function composeCore(foundation: Foundation, secrets: ResolvedSecrets): Promise<Core> {
  const { configuration, clock, catalog, identifiers, telemetry } = foundation;
  const { sink } = telemetry;
  const passwordSealer = createPasswordSealer(secrets.sealingKeys);
  for (const { key } of secrets.sealingKeys) key.destroy();
  const hangTracker = new HangTracker();
  const warningThreshold = configuration.limits.encryptionWarningThreshold;
  const encryptionBudget = new EncryptionBudget({ catalog, warningThreshold, ...encryptionBudgetEvents(sink) });
  const checkInventory: InventoryCheck = oneAtATime((clusterId) => intentRecovery.checkInventory(clusterId));
  const changes = { onChange: (): void => undefined };
  const look = () => changes.onChange();
  const configuredClusters = await composeClusters(foundation, encryptionBudget, hangTracker, checkInventory, look);
  const hsmClusters = throttledClusters(configuredClusters, operationQuotas(configuration), clock);
  const { defaultKeyStore, limits } = configuration;
  const registry: KeyStoreRegistry = new KeyStoreRegistry({
    ...defaultRegistryTimes,
    keyStoreCatalog: catalog,
    passwordSealer,
    hsmClusters,
    clock,
    events: lookingAfterConnections(withInventoryCheck(connectionEvents(sink), checkInventory), look),
    random: Math.random,
    connectTimeoutMs: limits.connectTimeoutMs,
    closeTimeoutMs: limits.drainTimeoutMs,
    defaultKeyStore:
      defaultKeyStore === null || secrets.defaultKeyStorePin === null
        ? null
        : { clusterId: defaultKeyStore.cluster, pin: secrets.defaultKeyStorePin },
  });
  const keys: KeysCore = {
    catalog,
    keyStores: registry,
    identity: configuration.identity,
    clock,
    identifiers,
    onBackgroundError: backgroundErrorEvent(sink),
  };
  const keyStores: KeyStoreAdministration = {
    keyStoreCatalog: catalog,
    passwordSealer,
    hsmClusters,
    defaultClusterId: defaultKeyStore?.cluster ?? null,
    connectionJobs: registry,
    clock,
    identifiers,
  };
  const { createdCatalog, auditFile } = foundation;
  const jobs = await composeOwnActs(keys, auditFile, ownActEvents(sink), createdCatalog);
  const { intentRecovery } = jobs;
  return { registry, keys, keyStores, ...jobs, hangTracker, changes, configuredClusters, encryptionBudget };
}

async function composeClusters(
  foundation: Foundation,
  encryptionBudget: EncryptionBudget,
  hangTracker: HangTracker,
  checkInventory: InventoryCheck,
  look: () => void,
): Promise<ConfiguredHsmClusters> {
  const { configuration, clock, catalog, clusterOverrides, telemetry } = foundation;
  const { metrics } = telemetry.sink;
  const told = withMemberInventoryCheck(hsmEvents(telemetry.sink, clock), checkInventory);
  const events = hangTracker.watch(lookingAfterMembers(told, look));
  const loginAttempts = countedLoginAttempts(catalog, metrics);
  const counters = metrics && { onTried: tryCounter(metrics), hedgeListener: hedgeCounter(metrics) };
  const { lockDirectory } = configuration;
  return new ConfiguredHsmClusters(
    { addon: loadAddon(), loginAttempts, encryptionBudget, clock, events, lockDirectory, ...counters },
    (await Promise.all(configuration.clusters.map((cluster) => clusterOptions(cluster, configuration)))).map(
      (cluster) => ({ ...cluster, ...clusterOverrides }),
    ),
  );
}

/** Looks when a member gets stuck, and until none is. */
function watchForReplacement(
  { configuration, clock, telemetry }: Foundation,
  core: Core,
  face: GrpcFace,
): ProcessReplacement {
  const tell = replacementEvent(telemetry.sink);
  const replacement = new ProcessReplacement({
    clock,
    settings: configuration.recovery,
    status: () => core.configuredClusters.status(),
    onChange(state, stuck) {
      tell(state, stuck);
      face.setSound(state === 'none');
    },
  });
  core.hangTracker.onStuck = () => replacement.look();
  return replacement;
}

function watchReadiness(foundation: Foundation, core: Core, status: ServerStatus, face: GrpcFace): ReadinessWatch {
  const { clock, auditFile, telemetry } = foundation;
  const readiness = new ReadinessWatch({
    clock,
    facts: async () => ({ auditWritable: auditFile.healthy(), keyStores: await status.keyStores() }),
    onLook: (found) => face.setReadiness(found),
    onChange: readinessEvent(telemetry.sink),
  });
  core.changes.onChange = () => void readiness.look();
  return readiness;
}

interface Face {
  face: GrpcFace;
  certificates: CertificateReload;
}

async function startFace(foundation: Foundation, core: Core, status: ServerStatus): Promise<Face> {
  const { configuration, clock, identifiers, principals, auditFile, telemetry } = foundation;
  const { limits, listeners } = configuration;
  const dispatcher = new AuditedDispatcher({
    operations,
    core: { keys: core.keys, keyStores: core.keyStores, status: { status, clock } },
    authorizer: configuredAuthorizer(configuration, principals),
    auditLog: auditFile,
    clock,
    onCompleted: requestEvent(telemetry.sink, clock),
  });
  const onUnknownCaller = unknownCallerEvent(telemetry.sink, clock);
  const begun = await Promise.all(listeners.map((listener) => listenerOptions(listener, principals)));
  const onEvent = descriptorEvent(telemetry.sink, clock);
  const face = await startGrpcFace({
    dispatcher,
    clock,
    identifiers,
    listeners: begun,
    principalOf: (certificate) => principalOf(principals, certificate, onUnknownCaller),
    ...faceEvents(telemetry.sink, clock),
    tracer: telemetry.tracer,
    requestTimeoutMs: limits.requestTimeoutMs,
    descriptors: { firstReserved: await firstReservedFileDescriptor(), onEvent },
    limits: { maximumMessageBytes: limits.maximumMessageBytes, maximumConnections: limits.maximumConnections },
  });
  const material = begun.map((options) => (options.kind === 'tls' ? options : undefined));
  const certificates = new CertificateReload(listeners, material, {
    clock,
    events: { ...certificateReloadEvents(telemetry.sink), remind: certificateReminder(telemetry.sink, clock) },
    onBackgroundError: backgroundErrorEvent(telemetry.sink),
    replace: (index, replacing) => face.reload(index, replacing),
  });
  return { face, certificates };
}

/** What listens, and what watches over it. */
interface Serving extends Face {
  replacement: ProcessReplacement;
  readiness: ReadinessWatch;
}

class RunningServer implements HoldfastServer {
  readonly keyDeletion: KeyDeletion;
  readonly intentRecovery: IntentRecovery;
  readonly #foundation: Foundation;
  readonly #core: Core;
  readonly #face: GrpcFace;
  readonly #replacement: ProcessReplacement;
  readonly #readiness: ReadinessWatch;
  readonly #certificates: CertificateReload;

  constructor(foundation: Foundation, core: Core, { face, certificates, replacement, readiness }: Serving) {
    this.#replacement = replacement;
    this.#readiness = readiness;
    this.#foundation = foundation;
    this.#core = core;
    this.#face = face;
    this.#certificates = certificates;
    this.keyDeletion = core.keyDeletion;
    this.intentRecovery = core.intentRecovery;
  }

  get bound(): readonly BoundAddress[] {
    return this.#face.bound;
  }

  get replacementAsked(): Promise<void> {
    return this.#replacement.asked;
  }

  get metricsPort(): number | undefined {
    return this.#foundation.telemetry.metricsPort;
  }

  /** Key stores connect by themselves from here on; requests on keys of one that is not yet connected are told so. */
  async start(): Promise<void> {
    await this.#core.registry.start();
    this.keyDeletion.start();
    this.intentRecovery.start();
    await this.#readiness.start();
    this.#certificates.start();
  }

  async reload(): Promise<void> {
    // An audit log that cannot be reopened must keep no old certificate or list in use.
    const parts = [this.#foundation.auditFile.reopen(), this.#certificates.reload()];
    const failed = (await Promise.allSettled(parts)).find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async stop(): Promise<StopOutcome> {
    const { configuration, clock } = this.#foundation;
    const { drainTimeoutMs } = configuration.limits;
    this.#replacement.stop();
    this.#readiness.stop();
    await this.#certificates.stop();
    await this.#face.drain(drainTimeoutMs);
    const closeDeadlineMs = clock.monotonicMs() + drainTimeoutMs;
    const { registry, keyDeletion, intentRecovery } = this.#core;
    const [allClosed] = await Promise.all([registry.stop(closeDeadlineMs), keyDeletion.stop(), intentRecovery.stop()]);
    const leftMs = Math.max(leastAuditCloseMs, closeDeadlineMs - clock.monotonicMs());
    const auditClosed = await closeFoundation(this.#foundation, leftMs);
    return { lanesHung: this.#core.hangTracker.lanesHung || !allClosed, auditHung: !auditClosed };
  }
}
