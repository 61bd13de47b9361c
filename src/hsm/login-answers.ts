import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** What an answer of `C_Login` says of the PIN, and how the member's failure is told. */
export interface LoginAnswer {
  errorCode: ConnectionErrorCode;
  /**
   * - `failed`: the token judged the PIN, or may have: it is not tried again before it changes.
   * - `not-tried`: the token judged no PIN.
   * - `unknown`: the claim stays open, and counts as failed while the token says that its PIN count is low.
   */
  attempt: 'failed' | 'not-tried' | 'unknown';
  /** Worth trying again by itself. */
  transient: boolean;
}

/** There was no token, session or library that could have judged it. */
const away: LoginAnswer = { errorCode: 'NETWORK_ERRORS', attempt: 'not-tried', transient: true };

const byOperator = (errorCode: ConnectionErrorCode): LoginAnswer => ({
  errorCode,
  attempt: 'not-tried',
  transient: false,
});

/** PKCS#11 v2.40 §5.6 C_Login, §5.1. Only codes that surely say that no wrong PIN was counted. */
const answers = new Map<number, LoginAnswer>([
  [0x03, away], // CKR_SLOT_ID_INVALID
  [0x32, away], // CKR_DEVICE_REMOVED
  [0xb0, away], // CKR_SESSION_CLOSED
  [0xb3, away], // CKR_SESSION_HANDLE_INVALID
  [0xe0, away], // CKR_TOKEN_NOT_PRESENT
  [0xe1, away], // CKR_TOKEN_NOT_RECOGNIZED
  [0x190, away], // CKR_CRYPTOKI_NOT_INITIALIZED
  // The device failed, before it judged the PIN or after that: its own flags tell.
  [0x30, { ...away, attempt: 'unknown' }], // CKR_DEVICE_ERROR
  // An expired PIN was right, and a locked token judges none: after the operator has acted, the same one may be tried.
  [0xa3, byOperator('INVALID_CREDENTIALS')], // CKR_PIN_EXPIRED
  [0xa4, byOperator('USER_LOCKED_OUT')], // CKR_PIN_LOCKED
  [0x102, byOperator('USER_NOT_FOUND')], // CKR_USER_PIN_NOT_INITIALIZED
  [0x103, byOperator('USER_NOT_FOUND')], // CKR_USER_TYPE_INVALID
  // With another credential, of whatever is left of an earlier connection: it passes, and no PIN was judged.
  [0x100, away], // CKR_USER_ALREADY_LOGGED_IN
  [0x104, away], // CKR_USER_ANOTHER_ALREADY_LOGGED_IN
  [0x105, away], // CKR_USER_TOO_MANY_TYPES
]);

/** CKR_PIN_INCORRECT and its kin, and every code that is not known: a wrong PIN is tried once (invariant 7). */
const refused: LoginAnswer = { errorCode: 'INVALID_CREDENTIALS', attempt: 'failed', transient: false };

/** @param rv what `C_Login` answered, not CKR_OK */
export function loginAnswer(rv: number): LoginAnswer {
  return answers.get(rv) ?? refused;
}
