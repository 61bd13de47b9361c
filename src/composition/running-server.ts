import type { BoundAddress } from '../faces/grpc/listener.js';
import type { GrpcFace } from '../faces/grpc/server.js';
import type { ProcessReplacement } from '../hsm/process-replacement.js';
import type { IntentRecovery } from '../jobs/intent-recovery.js';
import type { KeyDeletion } from '../jobs/key-deletion.js';
import type { PinRotations } from '../jobs/pin-rotation.js';
import type { PinSchedule } from '../jobs/pin-schedule.js';
import type { Reconciler } from '../jobs/reconciler.js';
import type { WitnessRefresh } from '../jobs/witness-refresh.js';
import type { CertificateReload } from './certificate-reload.js';
import type { ConfigurationReload } from './configuration-reload.js';
import type { Core } from './core.js';
import type { Face } from './face.js';
import { closeFoundation, type Foundation, minAuditCloseMs } from './foundation.js';
import type { ReadinessWatch } from './readiness-watch.js';

/** The threads that hang after a stop: the process must then end by `exitNow`. */
export interface StopOutcome {
  /** A lane is still inside a module. */
  lanesHung: boolean;
  /** The audit log's file blocks: records that wait for it are lost. */
  auditHung: boolean;
}

/** A composed, running server. */
export interface HoldfastServer {
  /** The bound addresses, in the order of the configuration's listeners. */
  readonly bound: readonly BoundAddress[];
  /** The port of the metrics endpoint; undefined if there is none. */
  readonly metricsPort: number | undefined;
  /** The periodic jobs; tests start a round themselves. */
  readonly keyDeletion: KeyDeletion;
  readonly intentRecovery: IntentRecovery;
  readonly reconciler: Reconciler;
  readonly witnesses: WitnessRefresh;
  readonly pinRotations: PinRotations;
  readonly pinSchedule: PinSchedule;
  /** Resolves with the finding when the process must stop, because its catalog was rolled back. */
  readonly rolledBack: Promise<string>;
  /** Resolves when the process must stop and be replaced, because an HSM is stuck in it. */
  readonly replacementAsked: Promise<void>;
  /**
   * Reads certificates, keys, revocation lists and the configuration again, takes up new members, and reopens the audit
   * log (SIGHUP). What cannot be used stays as it was; it then rejects at the end.
   */
  reload(): Promise<void>;
  /** Drains, closes and flushes, all within a bound: a job whose HSM hangs ends when its key store is closed. */
  stop(): Promise<StopOutcome>;
}

/** The listening parts, and the watches over them. */
export interface Serving extends Face {
  replacement: ProcessReplacement;
  readiness: ReadinessWatch;
  configurationReload: ConfigurationReload;
}

/** The server of `compose`. */
export class RunningServer implements HoldfastServer {
  readonly keyDeletion: KeyDeletion;
  readonly intentRecovery: IntentRecovery;
  readonly reconciler: Reconciler;
  readonly witnesses: WitnessRefresh;
  readonly pinRotations: PinRotations;
  readonly pinSchedule: PinSchedule;
  readonly #foundation: Foundation;
  readonly #core: Core;
  readonly #face: GrpcFace;
  readonly #replacement: ProcessReplacement;
  readonly #readiness: ReadinessWatch;
  readonly #certificates: CertificateReload;
  readonly #configurationReload: ConfigurationReload;

  constructor(foundation: Foundation, core: Core, serving: Serving) {
    this.#replacement = serving.replacement;
    this.#readiness = serving.readiness;
    this.#foundation = foundation;
    this.#core = core;
    this.#face = serving.face;
    this.#certificates = serving.certificates;
    this.#configurationReload = serving.configurationReload;
    this.keyDeletion = core.keyDeletion;
    this.intentRecovery = core.intentRecovery;
    this.reconciler = core.reconciler;
    this.witnesses = core.witnesses;
    this.pinRotations = core.pinRotations;
    this.pinSchedule = core.pinSchedule;
  }

  get bound(): readonly BoundAddress[] {
    return this.#face.bound;
  }

  get rolledBack(): Promise<string> {
    return this.#core.rollbackGuard.rolledBack;
  }

  get replacementAsked(): Promise<void> {
    return this.#replacement.asked;
  }

  get metricsPort(): number | undefined {
    return this.#foundation.telemetry.metricsPort;
  }

  /**
   * Starts the work in the background. From here on key stores connect; until one has, requests that need its HSM are
   * refused.
   */
  async start(): Promise<void> {
    await this.#core.registry.start();
    this.keyDeletion.start();
    this.intentRecovery.start();
    this.reconciler.start();
    this.witnesses.start();
    this.pinRotations.start();
    this.pinSchedule.start();
    this.#core.clusters.start();
    this.#core.loads.start();
    this.#core.backups.start();
    await this.#readiness.start();
    this.#certificates.start();
  }

  async reload(): Promise<void> {
    // An audit log that cannot be reopened must not keep an old certificate or list in use.
    const { auditFile } = this.#foundation;
    const parts = [
      auditFile.reopen(),
      this.#certificates.reload(),
      this.#configurationReload.reload(),
      this.#core.defaultPinReload.reload(),
    ];
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
    const { registry, keyDeletion, intentRecovery, reconciler, witnesses, clusters, loads } = this.#core;
    const { backups, pinRotations, pinSchedule } = this.#core;
    const jobs = [
      keyDeletion,
      intentRecovery,
      reconciler,
      witnesses,
      clusters,
      loads,
      backups,
      pinRotations,
      pinSchedule,
    ];
    const stopped = jobs.map((job) => job.stop());
    const [allClosed] = await Promise.all([registry.stop(closeDeadlineMs), ...stopped]);
    const leftMs = Math.max(minAuditCloseMs, closeDeadlineMs - clock.monotonicMs());
    const auditClosed = await closeFoundation(this.#foundation, leftMs);
    return { lanesHung: this.#core.hangTracker.lanesHung || !allClosed, auditHung: !auditClosed };
  }
}
