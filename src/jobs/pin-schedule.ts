/** Knows how old the PINs of key stores are, and rotates those of custom key stores that the configuration calls old. */
import type { ActAudit } from '../audit/act-audit.js';
import { type LeaseTools, underLease } from '../coordination/held-lease.js';
import { HoldfastError } from '../errors.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { newPinRotation, type PinRotationSources } from '../keystores/new-pin-rotation.js';
import type { PinAge, PinAgeCatalog, PinAgeLimits, PinAgeStatus } from '../keystores/pin-age.js';
import type { PinRotationCatalog, PinRotationWork } from '../keystores/pin-rotation.js';
import type { StoreRecord } from '../keystores/store.js';
import type { StoreConnection } from '../keystores/store-connection.js';
import { PeriodicJob } from './periodic-job.js';

/** The dependencies of the schedule, and its limits. */
export interface PinScheduleTools extends PinRotationSources {
  catalog: PinAgeCatalog & PinRotationCatalog;
  connections: {
    defaultConnection(): StoreConnection | undefined;
    customConnections(): Promise<StoreConnection[]>;
  };
  rotations: PinRotationWork;
  /** Whether all members of a cluster take work in this process. */
  isWhole: (clusterId: string) => boolean;
  limits: PinAgeLimits;
  audit: Pick<ActAudit, 'perform'>;
  leases: LeaseTools;
  onBackgroundError: BackgroundErrorListener;
}

/** A change of a PIN is seen within this time. */
const intervalMs = 60_000;

/** After a rotation that did not succeed: each may cost a token a wrong PIN, so an operator should look first. */
const retryMs = 24 * 3_600_000;

/** The time for one rotation; what is left of it then is continued as any rotation is. */
const rotationTimeoutMs = 60_000;

/** One process at a time begins rotations. */
const leaseName = 'pin-schedule';

const nameOf = ({ store }: StoreConnection): string => store?.customKeyStoreId ?? 'default';

/** The ages of PINs, and the rotations that they call for. */
export class PinSchedule {
  readonly #tools: PinScheduleTools;
  readonly #job: PeriodicJob;
  #ages: ReadonlyMap<string, PinAge> = new Map();

  constructor(tools: PinScheduleTools) {
    this.#tools = tools;
    const { clock, onBackgroundError } = tools;
    const round = (signal: AbortSignal): Promise<void> => this.#round(signal);
    this.#job = new PeriodicJob({ clock, intervalMs, name: 'looking at the ages of PINs', round, onBackgroundError });
  }

  start(): void {
    this.#job.start();
  }

  stop(): Promise<void> {
    return this.#job.stop();
  }

  /** Looks now, and begins what is due. If a round is running, waits for that one. */
  runNow(): Promise<void> {
    return this.#job.runNow();
  }

  /** As of the last minute; undefined for a PIN that was not looked at yet. */
  statusOf({
    store,
    credentialVersion,
  }: Pick<StoreConnection, 'store' | 'credentialVersion'>): PinAgeStatus | undefined {
    const age = this.#ages.get(store?.customKeyStoreId ?? 'default');
    if (age?.credentialVersion !== credentialVersion) return undefined;
    const { maximumAgeMs } = this.#tools.limits;
    return { sinceDate: age.sinceDate, maximumAgeMs, rotationFailed: age.attemptDate !== null };
  }

  async #round(signal: AbortSignal): Promise<void> {
    const connections = await this.#look();
    for (const connection of connections) {
      if (signal.aborted) return;
      if (connection.store === null || !(await this.#isDue(connection))) continue;
      const { store } = connection;
      await underLease({ ...this.#tools.leases, excludesOwnProcess: true }, leaseName, async () => {
        // Another process may have begun it meanwhile.
        if (await this.#isDue(connection)) await this.#rotate(store, connection.credentialVersion);
      });
    }
    this.#ages = await this.#recorded();
  }

  /** Records the PINs that were not seen before. */
  async #look(): Promise<StoreConnection[]> {
    const { catalog, connections, clock } = this.#tools;
    const ofDefault = connections.defaultConnection();
    const all = [...(ofDefault === undefined ? [] : [ofDefault]), ...(await connections.customConnections())];
    const recorded = await this.#recorded();
    for (const connection of all) {
      const { store, credentialVersion } = connection;
      const keyStore = nameOf(connection);
      if (recorded.get(keyStore)?.credentialVersion === credentialVersion) continue;
      const sinceDate = store?.passwordVersion === 1 ? store.creationDate : clock.now();
      await catalog.recordPinAge({ keyStore, credentialVersion, sinceDate, attemptDate: null });
    }
    return all;
  }

  async #recorded(): Promise<ReadonlyMap<string, PinAge>> {
    return new Map((await this.#tools.catalog.listPinAges()).map((age) => [age.keyStore, age]));
  }

  async #isDue({ store, clusterId, state, credentialVersion }: StoreConnection): Promise<boolean> {
    const { limits, clock, catalog, isWhole } = this.#tools;
    if (limits.rotateAfterMs === null || store === null || state !== 'CONNECTED' || !isWhole(clusterId)) return false;
    const age = (await this.#recorded()).get(store.customKeyStoreId);
    const nowMs = clock.now().getTime();
    if (age?.credentialVersion !== credentialVersion || nowMs - age.sinceDate.getTime() < limits.rotateAfterMs)
      return false;
    if (age.attemptDate !== null && nowMs - age.attemptDate.getTime() < retryMs) return false;
    const open = await catalog.listPinRotations();
    return !open.some(({ customKeyStoreId }) => customKeyStoreId === store.customKeyStoreId);
  }

  async #rotate(store: StoreRecord, credentialVersion: string): Promise<void> {
    const { catalog, clock, audit, onBackgroundError } = this.#tools;
    const { customKeyStoreId } = store;
    const age = (await this.#recorded()).get(customKeyStoreId);
    if (age === undefined) return;
    // Before it begins: a rotation during which the service dies is not begun again at once either.
    await catalog.recordPinAge({ ...age, credentialVersion, attemptDate: clock.now() });
    const act = {
      operation: 'RotatePin',
      resources: [],
      parameters: { custom_key_store_id: customKeyStoreId, pin_since: age.sinceDate.toISOString() },
    } as const;
    try {
      await audit.perform(act, () => this.#perform(store));
    } catch (error) {
      onBackgroundError(error, `rotating the PIN of ${customKeyStoreId}`);
    }
    await this.#look();
  }

  async #perform(store: StoreRecord): Promise<void> {
    const { catalog, rotations, clock } = this.#tools;
    if (!(await catalog.beginPinRotation(newPinRotation(this.#tools, store)))) return;
    const failure = await rotations.advance(store.customKeyStoreId, clock.monotonicMs() + rotationTimeoutMs);
    if (failure === undefined) return;
    throw new HoldfastError(
      'CUSTOM_KEY_STORE_INVALID_STATE',
      `Member ${failure.memberName} did not change its PIN (${failure.errorCode}).`,
      { cause: failure.cause, retryable: false },
    );
  }
}
