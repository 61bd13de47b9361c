import { wasRefused } from './attempt-state.js';
import { isNativeFailure } from './failure.js';
import {
  type CredentialSource,
  type LastingMember,
  logInAgain,
  type MemberCredential,
  type OpenedMember,
  reopenAndLogIn,
} from './login.js';
import type { LoginTools } from './login-attempt.js';
import { type AttemptedToken, memberOpenError, MemberOpenError } from './member-open-error.js';
import type { NativePool, NativeTokenInfo } from './native.js';
import type { VendorProfile } from './profiles/profile.js';

/** This process's connection to one member's token: opened and logged in to as often as necessary. */
export class MemberConnection {
  readonly #tools: LoginTools;
  readonly #pool: NativePool;
  readonly #member: LastingMember;
  readonly #credentialSource: CredentialSource;
  /** The name of the credential of the last login. */
  #credentialVersion = '';
  readonly #openTimeoutMs: number;
  #opened: OpenedMember | undefined;
  #isOpen = false;
  /** The token that refused the PIN of that name. */
  #refusedBy: { token: AttemptedToken; credentialVersion: string; error: MemberOpenError } | undefined;

  constructor(
    tools: LoginTools,
    pool: NativePool,
    member: LastingMember,
    credentialSource: CredentialSource,
    openTimeoutMs: number,
  ) {
    this.#tools = tools;
    this.#pool = pool;
    this.#member = member;
    this.#credentialSource = credentialSource;
    this.#openTimeoutMs = openTimeoutMs;
  }

  get index(): number {
    return this.#member.index;
  }

  /** Whether its module's instance is shared with other members. */
  get sharesInstance(): boolean {
    return !this.#member.module.privateInstance;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether it has never been open. */
  get isNew(): boolean {
    return this.#opened === undefined;
  }

  /** The session epoch since the last login. */
  get epoch(): number {
    return this.#required().epoch;
  }

  get description(): [token: NativeTokenInfo, profile: VendorProfile] {
    const { token, profile } = this.#required();
    return [token, profile];
  }

  /** Opens the member anew, logs in and reads the inventory, in a new session epoch. @throws MemberOpenError */
  async reopen(deadlineMs: number, onlyWhereAccepted: boolean): Promise<void> {
    await this.#stayOutWhileRefused();
    this.#isOpen = false;
    const bounds = { deadlineMs, openTimeoutMs: this.#openTimeoutMs, onlyWhereAccepted };
    await this.#ready(async () => {
      this.#opened = await reopenAndLogIn(this.#tools, this.#pool, this.#member, () => this.#nextCredential(), bounds);
    }, deadlineMs);
  }

  /**
   * Logs in once to the open token, and begins a new session epoch. @throws MemberOpenError: the member is no longer
   * open then.
   */
  async logInAgain(deadlineMs: number): Promise<void> {
    // SoftHSM judges by the PIN that it read in C_Initialize: it knows another one only when it is opened anew.
    if ((await this.#presentVersion()) !== this.#credentialVersion) return this.reopen(deadlineMs, false);
    this.#isOpen = false;
    await this.#ready(async () => {
      const source = (): Promise<MemberCredential> => this.#nextCredential();
      const { epoch } = await logInAgain(this.#tools, this.#pool, this.#member, source, deadlineMs);
      this.#opened = { ...this.#required(), epoch };
    }, deadlineMs);
  }

  /** Ends its work until the deadline, and closes its sessions. @throws NativeFailure; it is closed anyway */
  async close(deadlineMs: number): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#pool.detachMember(this.index, deadlineMs);
  }

  async #ready(logIn: () => Promise<void>, deadlineMs: number): Promise<void> {
    try {
      await logIn();
      await this.#member.takeInventory(deadlineMs);
      this.#isOpen = true;
    } catch (error) {
      const told = isNativeFailure(error) ? memberOpenError(error, this.#tools.returnValues) : error;
      if (told instanceof MemberOpenError && told.errorCode === 'INVALID_CREDENTIALS') this.#noteRefusal(told);
      throw told;
    }
  }

  #noteRefusal(error: MemberOpenError): void {
    const { token } = error;
    if (token !== undefined) this.#refusedBy = { token, credentialVersion: this.#credentialVersion, error };
  }

  async #nextCredential(): Promise<MemberCredential> {
    const credential = await this.#credentialSource();
    this.#credentialVersion = credential.credentialVersion;
    return credential;
  }

  /** Asks the record, not the token: an operator may have had the attempt forgotten, or have set another PIN. */
  async #stayOutWhileRefused(): Promise<void> {
    if (this.#refusedBy === undefined) return;
    const { token, credentialVersion, error } = this.#refusedBy;
    const isSame = (await this.#presentVersion()) === credentialVersion;
    if (isSame && (await wasRefused(this.#tools, token, credentialVersion))) throw error;
    this.#refusedBy = undefined;
  }

  async #presentVersion(): Promise<string> {
    const { pin, credentialVersion } = await this.#credentialSource();
    pin.destroy();
    return credentialVersion;
  }

  #required(): OpenedMember {
    if (this.#opened === undefined) throw new Error(`Member ${this.index} was never open.`);
    return this.#opened;
  }
}
