import type { Clock } from '../clock.js';
import type { Secret } from '../secret.js';
import type { PasswordSealer } from './catalog.js';
import { defaultCredentialVersion, type DefaultKeyStore } from './connection-targets.js';
import {
  type DefaultPinCatalog,
  type DefaultPinRecord,
  isPin,
  type RecordedPins,
  recordedPins,
  standingOf,
} from './default-pin-record.js';
import { credentialVersionOf, sealPassword } from './password.js';
import type { PinRotationCatalog } from './pin-rotation.js';
import { pinOfMember, type SealedPin, type UnsealedPin, unsealedPin } from './sealed-pin.js';

/** The dependencies of the default key store's PIN. */
export interface DefaultPinTools {
  catalog: DefaultPinCatalog & PinRotationCatalog;
  sealer: PasswordSealer;
  clock: Clock;
}

/**
 * The PIN of the default key store: that of the configuration, or the one of the catalog that a rotation put in its place.
 * Both may change while the service runs.
 */
export class DefaultPin implements DefaultKeyStore {
  readonly clusterId: string;
  readonly #tools: DefaultPinTools;
  #configured: Secret;
  /** The configured PIN counts more than those of the catalog up to this version. Undefined before the first look. */
  #sinceVersion: number | undefined;
  /** Whether the configured PIN is one that the catalog does not know, and no login has shown that it is right. */
  #isUnproved = false;
  #credentialVersion: string;
  #isOutOfDate = false;

  /** Takes ownership of the configured PIN. */
  constructor(clusterId: string, configured: Secret, tools: DefaultPinTools) {
    this.clusterId = clusterId;
    this.#tools = tools;
    this.#configured = configured;
    this.#credentialVersion = defaultCredentialVersion(tools.sealer, { clusterId, pin: configured });
  }

  /** The name of the present PIN, as of the last look. */
  get credentialVersion(): string {
    return this.#credentialVersion;
  }

  /** Whether a rotation has replaced the configured PIN, as of the last look. */
  get isOutOfDate(): boolean {
    return this.#isOutOfDate;
  }

  async look(): Promise<void> {
    await this.#look();
  }

  async present(memberName?: string): Promise<UnsealedPin | 'uncertain' | undefined> {
    const { followed, rotation } = await this.#look();
    if (followed === undefined) return this.#configuredPin();
    const sealed = memberName === undefined ? followed : pinOfMember(followed, rotation, memberName);
    return sealed === 'uncertain' ? sealed : unsealedPin(this.#tools.sealer, sealed);
  }

  async proved(): Promise<void> {
    if (!this.#isUnproved || this.#configured.isDestroyed) return;
    await this.#takeUp(this.#configured, await this.#recorded(), this.#sinceVersion ?? 0);
    this.#isUnproved = false;
  }

  /** The present PIN sealed as the catalog has it, or as the first rotation has to record it. */
  async sealed(): Promise<DefaultPinRecord> {
    const { followed, pins } = await this.#look();
    if (followed?.takenUpDate === null) return followed;
    using pin = followed === undefined ? this.#configured.share() : unsealedPin(this.#tools.sealer, followed).pin;
    return this.#sealed(pin, pins.at(-1)?.passwordVersion ?? 0);
  }

  /**
   * What another PIN of the configuration asks for.
   * - `nothing`: it is the one before, or one that the catalog's have replaced. It is the configured one now.
   * - `caught-up`: it is the one that the last rotation set. It is the configured one now, and the catalog gives way.
   * - `trial`: an operator wants it. `replace` takes it up once every member has accepted it.
   */
  async consider(found: Secret): Promise<'nothing' | 'caught-up' | 'trial'> {
    const { sealer } = this.#tools;
    const recorded = await this.#recorded();
    const newest = recorded.pins.at(-1);
    const standing = standingOf(sealer, recorded, found);
    if (standing === 'present') {
      await this.replace(found);
      return 'caught-up';
    }
    if (standing === 'replaced') {
      this.#configure(found, 0);
      await this.#look();
      return 'nothing';
    }
    if (this.#isConfigured(found)) return 'nothing';
    if (newest === undefined || !isPin(sealer, newest, found)) return 'trial';
    this.#configure(found, newest.passwordVersion);
    await this.#look();
    return 'caught-up';
  }

  /** Takes up a PIN that every member accepts. Logins that are under way keep their share of the old one. */
  async replace(pin: Secret): Promise<void> {
    const recorded = await this.#recorded();
    this.#configure(pin, this.#sinceVersion ?? 0);
    const newest = recorded.pins.at(-1);
    if (newest !== undefined) await this.#takeUp(pin, recorded, newest.passwordVersion);
    await this.#look();
  }

  /** Idempotent. */
  destroy(): void {
    this.#configured.destroy();
  }

  #configuredPin(): UnsealedPin | undefined {
    if (this.#configured.isDestroyed) return undefined;
    return { pin: this.#configured.share(), credentialVersion: this.#configuredVersion() };
  }

  #configuredVersion(): string {
    return defaultCredentialVersion(this.#tools.sealer, { clusterId: this.clusterId, pin: this.#configured });
  }

  #isConfigured(pin: Secret): boolean {
    const { sealer } = this.#tools;
    return defaultCredentialVersion(sealer, { clusterId: this.clusterId, pin }) === this.#configuredVersion();
  }

  #configure(pin: Secret, sinceVersion: number): void {
    const old = this.#configured;
    this.#configured = pin.share();
    old.destroy();
    this.#sinceVersion = sinceVersion;
    this.#isUnproved = false;
  }

  #recorded(): Promise<RecordedPins> {
    return recordedPins(this.#tools.catalog, this.clusterId);
  }

  /** `followed`: the PIN of the catalog that counts more than the configured one. */
  async #look(): Promise<RecordedPins & { followed: DefaultPinRecord | undefined }> {
    const recorded = await this.#recorded();
    this.#sinceVersion ??= await this.#judge(recorded);
    const newest = recorded.pins.at(-1);
    const followed = newest !== undefined && newest.passwordVersion > this.#sinceVersion ? newest : undefined;
    if (!this.#configured.isDestroyed) this.#note(recorded, followed);
    return { ...recorded, followed };
  }

  #note({ rotation }: RecordedPins, followed: DefaultPinRecord | undefined): void {
    this.#credentialVersion = followed === undefined ? this.#configuredVersion() : credentialVersionOf(followed);
    const wanted: SealedPin | undefined = rotation ?? followed;
    this.#isOutOfDate =
      followed !== undefined && wanted !== undefined && !isPin(this.#tools.sealer, wanted, this.#configured);
  }

  /** @returns `#sinceVersion` of a process that starts with the configured PIN */
  async #judge(recorded: RecordedPins): Promise<number> {
    const newest = recorded.pins.at(-1)?.passwordVersion ?? 0;
    if (this.#configured.isDestroyed) return newest;
    const standing = standingOf(this.#tools.sealer, recorded, this.#configured);
    if (standing === 'replaced') return 0;
    this.#isUnproved = standing === 'other';
    if (standing === 'present') await this.#takeUp(this.#configured, recorded, newest);
    return this.#sinceVersion ?? newest;
  }

  /** If another process came first, what it wrote counts. */
  async #takeUp(pin: Secret, { rotation }: RecordedPins, seenVersion: number): Promise<void> {
    const record = this.#sealed(pin, Math.max(seenVersion, rotation?.passwordVersion ?? 0));
    const takenUp = { ...record, takenUpDate: this.#tools.clock.now() };
    if (await this.#tools.catalog.takeUpDefaultPin(takenUp, seenVersion)) this.#sinceVersion = record.passwordVersion;
  }

  #sealed(pin: Secret, afterVersion: number): DefaultPinRecord {
    const { clusterId } = this;
    const place = { customKeyStoreId: clusterId, clusterId, passwordVersion: afterVersion + 1 };
    return { ...place, password: sealPassword(this.#tools.sealer, pin, place), takenUpDate: null };
  }
}
