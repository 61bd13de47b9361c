import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import { loginAnswer } from './login-answers.js';
import type { NativeFailure, NativeTokenInfo } from './native.js';
import type { ReturnValues } from './return-values.js';

/** A token's names and flags, as they are when a PIN is about to be tried. */
export type AttemptedToken = Pick<NativeTokenInfo, 'label' | 'serialNumber' | 'flags'>;

/** Why a member could not be opened, in the terms of DescribeCustomKeyStores. */
export class MemberOpenError extends Error {
  override readonly name = 'MemberOpenError';
  readonly errorCode: ConnectionErrorCode;
  /** Worth retrying without an operator. */
  readonly transient: boolean;
  /** The token of the failed login, if it came that far. */
  readonly token: AttemptedToken | undefined;
  /** The login was not tried, because an earlier login still hangs in the module. */
  readonly behindHungLogin: boolean;
  /**
   * The token has said that this is not its PIN, now or before. False if it answered anything else, for which the PIN is not
   * tried again either, and for an attempt whose outcome nobody knows.
   */
  readonly isWrongPin: boolean;

  /** The token itself has just judged the PIN, and refused it. */
  get tokenRefusedPin(): boolean {
    return this.errorCode === 'INVALID_CREDENTIALS' && this.cause !== undefined;
  }

  constructor(
    errorCode: ConnectionErrorCode,
    transient: boolean,
    message: string,
    { cause, token, behindHungLogin = false, isWrongPin = false }: OpenFailureDetails = {},
  ) {
    super(message, { cause });
    this.errorCode = errorCode;
    this.transient = transient;
    this.token = token;
    this.behindHungLogin = behindHungLogin;
    this.isWrongPin = isWrongPin;
  }
}

interface OpenFailureDetails {
  cause?: unknown;
  token?: AttemptedToken | undefined;
  behindHungLogin?: boolean;
  isWrongPin?: boolean;
}

/** The error for a failure to open a member. @param token the token of the failed login, if it came that far */
export function memberOpenError(
  failure: NativeFailure,
  returnValues: ReturnValues,
  token?: AttemptedToken,
): MemberOpenError {
  const told = (errorCode: ConnectionErrorCode, transient: boolean, isWrongPin = false) =>
    new MemberOpenError(errorCode, transient, failure.message, { cause: failure, token, isWrongPin });
  if (failure.kind === 'rv' && failure.functionName === 'C_Login') {
    const { errorCode, transient, isWrongPin } = loginAnswer(returnValues(failure.rv));
    return told(errorCode, transient, isWrongPin);
  }
  if (failure.kind === 'token-missing') return told('CLUSTER_NOT_FOUND', true);
  if (failure.kind === 'module') return told('INTERNAL_ERROR', true);
  // The configuration contradicts itself about one library: only another configuration helps.
  if (failure.kind === 'module-in-use') return told('INTERNAL_ERROR', false);
  return told('NETWORK_ERRORS', true);
}
