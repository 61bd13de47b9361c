/** The meaning of an addon's failure: for the caller, for the member's breaker, and for trying elsewhere. */
import { cancelledMessage } from '../calls/cancellation.js';
import { type ErrorCode, HoldfastError, type HoldfastErrorOptions } from '../errors.js';
import type { MaterialAlert } from './events.js';
import type { NativeFailure, NativeFailureKind } from './native.js';
import type { ReturnValues } from './return-values.js';

/** The classification of a failure. `code` and `message` are for the caller, the rest is for the cluster. */
export interface Classification {
  code: ErrorCode;
  message: string;
  /** It concerns the HSM's health: the breaker records it. All other failures are kept from the breaker. */
  countsAgainstBreaker: boolean;
  /** The member cannot be used until it has proved itself again: the breaker opens at once. */
  poisonsMember: boolean;
  /** The caller's input was bad; every member would give the same answer. */
  callerFault: boolean;
  /** Another member may succeed with the same request. */
  retryElsewhere: boolean;
  /** How long a caller should wait before a retry, if one helps. */
  retryAfterMs?: number;
  /** Set if the material on that member differs from the catalog. */
  alert: MaterialAlert | null;
}

/**
 * Whether the addon made the error (`NativeFailure`). Any other error is an internal one, and does not concern an HSM.
 */
export function isNativeFailure(thrown: unknown): thrown is NativeFailure {
  return thrown instanceof Error && 'kind' in thrown && 'rv' in thrown && 'functionName' in thrown;
}

/**
 * Whether the member may be tried once more: the token had dropped the session or the key's handle, perhaps during the
 * operation, and the lane opens another session and finds the key anew; or key and HSM worked after the failure.
 */
export function mayBeAskedAgain({ kind, rv, hsmCleared }: NativeFailure, returnValues: ReturnValues): boolean {
  if (kind !== 'rv') return kind === 'handle-revoked';
  const { sessionLost, objectLost } = returnValues(rv);
  return hsmCleared || sessionLost || objectLost;
}

/**
 * Whether a refusal of the ciphertext is in doubt: the canary decrypted after the ciphertext did not. If no HSM was
 * asked, there is no doubt.
 */
export function isProvisional({ functionName }: NativeFailure, { callerFault }: Classification): boolean {
  return callerFault && functionName !== '';
}

/**
 * Classifies a failure. For kind `rv` the table decides, unless the canary put the blame on the ciphertext. An
 * operation that waited on a member for another lane's work on the same key is retried on another member.
 */
export function classify(failure: NativeFailure, returnValues: ReturnValues): Classification {
  if (failure.kind === 'queue-deadline' && failure.member >= 0)
    return { ...verdicts['queue-deadline'], retryElsewhere: true };
  if (failure.kind === 'self-test-failed')
    return { ...verdicts['self-test-failed'], ...callerAnswer(returnValues(failure.rv).code) };
  if (failure.kind === 'look-up-failed')
    return { ...verdicts['look-up-failed'], ...callerAnswer(returnValues(failure.rv).code) };
  if (failure.kind !== 'rv') return verdicts[failure.kind];
  if (failure.callerFault) return invalidCiphertext;
  if (failure.hsmCleared) return { ...healthy, ...internal, retryElsewhere: true };
  const value = returnValues(failure.rv);
  return {
    ...callerAnswer(value.code),
    countsAgainstBreaker: value.countsAgainstBreaker,
    poisonsMember: value.poisonsMember,
    callerFault: false,
    // Our input was checked: whatever this member answers, the request is one that another may accept.
    retryElsewhere: true,
    alert: null,
  };
}

/** The message when the caller's own deadline passed before an HSM had answered, and no HSM was at fault. */
const callerDeadlineMessage = 'The deadline of the request passed before an HSM had answered. Allow more time.';

/** The advice to a caller about a retry. */
export type RetryOptions = { retryable: boolean } & Pick<HoldfastErrorOptions, 'retryAfterMs'>;

/**
 * The error for the caller; the addon's failure stays as its cause, for the log.
 * @param retry the result of `retryAfterFailure`
 * @param callerDeadline the caller's own deadline ended it, and no HSM failed before
 */
export function callerError(
  { code, message }: Classification,
  failure: NativeFailure,
  retry: RetryOptions,
  callerDeadline = false,
): HoldfastError {
  if (callerDeadline && speaksOfTimeAlone(failure)) return callerDeadlinePassed(failure);
  return new HoldfastError(code, advised(message, retry), { cause: failure, ...retry });
}

/** A message must not advise a retry if the HSM does not return by itself. */
export function advised(message: string, { retryable }: RetryOptions): string {
  return retryable ? message : message.replace(/ Try again\.$/, ' It does not come back until its operator fixes it.');
}

/** The answer if the caller allowed less time than the operation took. */
export function callerDeadlinePassed(cause?: NativeFailure): HoldfastError {
  return new HoldfastError('DEPENDENCY_TIMEOUT', callerDeadlineMessage, { cause, callerDeadline: true });
}

/** Whether the time was too short, in the queue or in a call that did not exceed the time that an HSM may take. */
function speaksOfTimeAlone({ kind }: NativeFailure): boolean {
  return kind === 'overdue' || kind === 'queue-deadline';
}

/**
 * The answer for a CK_RV outside a decryption that the canary cleared. An HSM's failure is never reported as a caller's
 * bad input (invariant 5): codes that blame the caller or the request become internal ones here.
 */
function callerAnswer(code: ErrorCode): Pick<Classification, 'code' | 'message'> {
  if (code === 'KMS_INVALID_STATE' || code === 'KEY_UNAVAILABLE') {
    return { code: 'KEY_UNAVAILABLE', message: 'The HSM cannot be reached. Try again.' };
  }
  return internal;
}

const healthy = {
  countsAgainstBreaker: false,
  poisonsMember: false,
  callerFault: false,
  retryElsewhere: false,
  alert: null,
};
const internal = { code: 'KMS_INTERNAL', message: 'The HSM answered with an error. Try again.' } as const;
const overdue = { code: 'DEPENDENCY_TIMEOUT', message: 'The HSM did not answer in time. Try again.' } as const;
const cancelledAnswer = { code: 'CANCELLED', message: cancelledMessage } as const;
/** The answer when no member takes work. */
export const unreachable = {
  code: 'KEY_UNAVAILABLE',
  message: 'No HSM of the cluster takes work now. Try again.',
} as const;

/** A member of a wrapped cluster lacks a key that others have: if they are absent, the key is unavailable, not lost. */
export const heldElsewhere: Classification = {
  ...healthy,
  code: unreachable.code,
  message: 'No HSM that has the key takes work now. Try again.',
  retryElsewhere: true,
};

// AWS sends InvalidCiphertextException without a message.
const invalidCiphertext: Classification = { ...healthy, code: 'INVALID_CIPHERTEXT', message: '', callerFault: true };

function brokenMaterial(alert: MaterialAlert, message: string): Classification {
  return { ...healthy, code: 'KMS_INVALID_STATE', message, retryElsewhere: true, alert };
}

const verdicts: Record<Exclude<NativeFailureKind, 'rv'>, Classification> = {
  // Its other answers are in doubt too, but perhaps only one key or one session is broken.
  'bad-output': {
    ...healthy,
    ...internal,
    countsAgainstBreaker: true,
    retryElsewhere: true,
  },
  'queue-deadline': { ...healthy, ...overdue },
  cancelled: { ...healthy, ...cancelledAnswer },
  // The caller had less time than the HSM may take: that is not the HSM's fault (invariant 5).
  overdue: { ...healthy, ...overdue, retryElsewhere: true },
  'lane-deadline': { ...healthy, ...overdue, countsAgainstBreaker: true, poisonsMember: true, retryElsewhere: true },
  'material-missing': brokenMaterial('material-missing', 'The key material is not in the HSM.'),
  'material-ambiguous': brokenMaterial('material-ambiguous', 'The HSM has more than one object for this key material.'),
  'material-mismatch': brokenMaterial('material-mismatch', 'The key material in the HSM is not what the catalog says.'),
  'canary-failed': brokenMaterial('canary-failed', 'The key material in the HSM failed its known-answer check.'),
  'key-refused': brokenMaterial('key-refused', 'The HSM refuses to use the key material.'),
  'self-test-failed': {
    ...healthy,
    ...internal,
    countsAgainstBreaker: true,
    poisonsMember: true,
    retryElsewhere: true,
  },
  // Keys with known handles still work: the member is suspended when nothing else succeeds.
  'look-up-failed': { ...healthy, ...internal, countsAgainstBreaker: true, retryElsewhere: true },
  'handle-revoked': {
    ...healthy,
    ...internal,
    retryElsewhere: true,
  },
  // Nothing was done. By the time of the hint, a healthy HSM has worked off much of its queue.
  'queue-full': {
    ...healthy,
    code: 'LIMIT_EXCEEDED',
    message: 'Too many operations wait for the HSM. Try again.',
    retryAfterMs: 200,
  },
  // The member may have been suspended since it was chosen.
  'no-member': { ...healthy, ...unreachable, retryElsewhere: true },
  closed: { ...healthy, ...unreachable },
  module: { ...healthy, ...unreachable, countsAgainstBreaker: true, poisonsMember: true, retryElsewhere: true },
  'module-in-use': {
    ...healthy,
    ...unreachable,
    countsAgainstBreaker: true,
    poisonsMember: true,
    retryElsewhere: true,
  },
  lock: { ...healthy, ...unreachable },
  'lock-held': { ...healthy, ...unreachable },
  // A limit of this HSM, not of the protocol: another vendor's member may take it.
  'too-long': {
    ...healthy,
    code: 'UNSUPPORTED_OPERATION',
    message: 'The data is longer than the HSM takes at a time.',
    retryElsewhere: true,
  },
  stuck: { ...healthy, ...unreachable, countsAgainstBreaker: true, poisonsMember: true, retryElsewhere: true },
  'token-missing': {
    ...healthy,
    ...unreachable,
    countsAgainstBreaker: true,
    poisonsMember: true,
    retryElsewhere: true,
  },
};
