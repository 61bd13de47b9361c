import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import type { NativeLoginOutcome } from './native-return-value.js';
import type { ReturnValue } from './return-values.js';

/** The meaning of a return value of `C_Login` for the PIN, and for the report about the member. */
export interface LoginAnswer {
  errorCode: ConnectionErrorCode;
  /**
   * - `failed`: the token judged the PIN, or may have: it is not tried again before it changes.
   * - `not-tried`: the token did not judge the PIN.
   * - `unknown`: the claim stays open, and counts as failed while the token reports a low PIN count.
   */
  attempt: 'failed' | 'not-tried' | 'unknown';
  /** Worth retrying without an operator. */
  transient: boolean;
  /** The token has said that it has another PIN. */
  isWrongPin: boolean;
}

/** The failure passes by itself, and no PIN was judged. */
const away: LoginAnswer = { errorCode: 'NETWORK_ERRORS', attempt: 'not-tried', transient: true, isWrongPin: false };

const byOperator = (errorCode: ConnectionErrorCode): LoginAnswer => ({
  errorCode,
  attempt: 'not-tried',
  transient: false,
  isWrongPin: false,
});

const answers: Record<NativeLoginOutcome, LoginAnswer> = {
  // A wrong PIN is tried once (invariant 7).
  refused: { errorCode: 'INVALID_CREDENTIALS', attempt: 'failed', transient: false, isWrongPin: false },
  wrong: { errorCode: 'INVALID_CREDENTIALS', attempt: 'failed', transient: false, isWrongPin: true },
  'not-judged': away,
  // The token's own flags show whether it judged the PIN.
  unknown: { ...away, attempt: 'unknown' },
  // After the operator has acted, the same PIN may be tried.
  expired: byOperator('INVALID_CREDENTIALS'),
  locked: byOperator('USER_LOCKED_OUT'),
  'no-pin': byOperator('USER_NOT_FOUND'),
};

/** @param returnValue the row of what `C_Login` answered, not that of CKR_OK */
export function loginAnswer({ login }: ReturnValue): LoginAnswer {
  return answers[login];
}
