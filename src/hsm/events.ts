import type { NativeTokenInfo } from './native.js';
import type { VendorProfile } from './profiles/profile.js';

/** The member of an event. */
export interface MemberPlace {
  clusterId: string;
  memberName: string;
}

/** Problems of a key material on a member. Each is worth an alert, since a healthy cluster never shows one. */
export const materialAlerts = [
  'material-missing',
  'material-ambiguous',
  'material-mismatch',
  'canary-failed',
  'key-refused',
] as const;
/** One of `materialAlerts`. */
export type MaterialAlert = (typeof materialAlerts)[number];

/** The port for the reports of HSMs to the log, the metrics and the operator. Nothing in it is secret. */
export interface HsmEvents {
  /** Logged in, inventory read, admitted. */
  memberOpened(place: MemberPlace, token: NativeTokenInfo, profile: VendorProfile): void;
  /** It could not be opened; the cluster may still connect through others. */
  memberOpenFailed(place: MemberPlace, cause: unknown): void;
  /** Its breaker opened: it takes no work until a probe succeeds. */
  memberSuspended(place: MemberPlace, cause: unknown): void;
  memberProbeFailed(place: MemberPlace, cause: unknown): void;
  memberResumed(place: MemberPlace): void;
  /** Its token or module was lost: it is reopened, or logged in again. */
  memberReconnecting(place: MemberPlace, cause: unknown): void;
  /** Logged in again in a new session epoch, inventory read. Its breaker closes next. */
  memberReconnected(place: MemberPlace): void;
  /** It is retried after a while; if a token refused the PIN, only once the credential has changed. */
  memberReconnectFailed(place: MemberPlace, cause: unknown): void;
  /** So much of the member hangs in its module that only a new process can open it: ours asks to be replaced. */
  memberStuck(place: MemberPlace, cause: unknown): void;
  /** A call overran its deadline inside the token; its lane was replaced. */
  laneQuarantined(place: MemberPlace, cause: unknown): void;
  /** An object on the token differs from the catalog, or fails its canary. It was not used. */
  materialAlert(place: MemberPlace, materialId: string, alert: MaterialAlert): void;
  /**
   * A member lacks a key material that others may have; the reconciler copies it. `cause`: why it could not be copied
   * when it was made, or the answer of the member that was asked for it.
   */
  copyMissing(place: MemberPlace, materialId: string, cause: unknown): void;
  /** The member's keys could not be listed: it is neither compared with the catalog nor repaired until they can. */
  inventoryFailed(place: MemberPlace, cause: unknown): void;
  /** The member does not have the wrapping keys of the generation in use, and gets no copies of keys. */
  generationBehind(place: MemberPlace, generationInUse: number): void;
  /** Closing passed its deadline with this many lanes still inside the module. */
  lanesHung(clusterId: string, laneCount: number): void;
}
