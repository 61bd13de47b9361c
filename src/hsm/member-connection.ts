import { wasRefused } from './attempt-state.js';
import { isNativeFailure } from './failure.js';
import {
  type LastingMember,
  logInAgain,
  type LoginTools,
  type MemberCredential,
  memberOpenError,
  MemberOpenError,
  type OpenedMember,
  reopenAndLogIn,
} from './login.js';
import type { NativePool, NativeTokenInfo } from './native.js';
import type { VendorProfile } from './profiles/profile.js';

/** This process's connection to one member's token: opened and logged in to as often as necessary. */
export class MemberConnection {
  readonly #tools: LoginTools;
  readonly #pool: NativePool;
  readonly #member: LastingMember;
  readonly #credential: MemberCredential;
  readonly #openTimeoutMs: number;
  #opened: OpenedMember | undefined;
  #isOpen = false;
  /** The token that refused the PIN. */
  #refusedBy: { token: NativeTokenInfo; error: MemberOpenError } | undefined;

  constructor(
    tools: LoginTools,
    pool: NativePool,
    member: LastingMember,
    credential: MemberCredential,
    openTimeoutMs: number,
  ) {
    this.#tools = tools;
    this.#pool = pool;
    this.#member = member;
    this.#credential = credential;
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
      this.#opened = await reopenAndLogIn(this.#tools, this.#pool, this.#member, this.#credential, bounds);
    }, deadlineMs);
  }

  /**
   * Logs in once to the open token, and begins a new session epoch. @throws MemberOpenError: the member is no longer
   * open then.
   */
  async logInAgain(deadlineMs: number): Promise<void> {
    this.#isOpen = false;
    await this.#ready(async () => {
      const { epoch } = await logInAgain(this.#tools, this.#pool, this.#member, this.#credential, deadlineMs);
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
    if (error.token !== undefined) this.#refusedBy = { token: error.token, error };
  }

  /** Asks the record, not the token: an operator may have had the attempt forgotten. */
  async #stayOutWhileRefused(): Promise<void> {
    if (this.#refusedBy === undefined) return;
    const { token, error } = this.#refusedBy;
    if (await wasRefused(this.#tools, token, this.#credential.credentialVersion)) throw error;
    this.#refusedBy = undefined;
  }

  #required(): OpenedMember {
    if (this.#opened === undefined) throw new Error(`Member ${this.index} was never open.`);
    return this.#opened;
  }
}
