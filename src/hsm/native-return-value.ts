/** The table of return values, as it crosses the seam; the rest of the seam is `native.ts`. */

/**
 * What a return value means as an answer of `C_Login` (PKCS#11 v2.40 §5.6).
 * - `refused`: the token judged the PIN, or may have. Every value that is not named below has this outcome.
 * - `wrong`: the token judged the PIN, and has another one: CKR_PIN_INCORRECT alone says so.
 * - `not-judged`: no token, session or library could have judged it, or another login stood in the way.
 * - `unknown`: the device failed, before it judged the PIN or after that.
 * - `expired`: the PIN was right, and has expired.
 * - `locked`: the token is locked, and judges no PIN.
 * - `no-pin`: the token has no user PIN yet.
 */
export type NativeLoginOutcome = 'refused' | 'wrong' | 'not-judged' | 'unknown' | 'expired' | 'locked' | 'no-pin';

/** One row of the table of return values (`native/src/return_values.h`): the columns that TypeScript asks for. */
export interface NativeReturnValue {
  name: string;
  value: number;
  /** The `ErrorCode` a caller gets. */
  code: string;
  login: NativeLoginOutcome;
  transient: boolean;
  poisonsSession: boolean;
  poisonsMember: boolean;
  countsAgainstBreaker: boolean;
  /** The token has dropped the session. */
  sessionLost: boolean;
  /** An object handle no longer names an object. */
  objectLost: boolean;
  /** No user is logged in; proved only if `C_GetSessionInfo` answered it. */
  loginLost: boolean;
  /** Token or module are gone: no probe ever succeeds again on this opening. */
  tokenLost: boolean;
}
