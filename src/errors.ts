/**
 * The closed list of error codes and the one error class that callers see.
 *
 * A code is the AWS KMS exception's name in upper snake case without "Exception" (AWS KMS API Reference, "Errors" of
 * each operation; `VALIDATION`, `ACCESS_DENIED` and `THROTTLING` are "Common Errors"). `CANCELLED` is ours: AWS has no
 * cancellation, gRPC does. Every face maps every code (`satisfies Record<ErrorCode, …>`): a new code does not compile
 * until all faces answer it and `error-guide.ts`, from which `docs/errors.md` is generated, explains it.
 */
export const errorCodes = [
  'ACCESS_DENIED',
  'ALREADY_EXISTS',
  'CANCELLED',
  'CLOUD_HSM_CLUSTER_IN_USE',
  'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
  'CLOUD_HSM_CLUSTER_NOT_FOUND',
  'CLOUD_HSM_CLUSTER_NOT_RELATED',
  'CUSTOM_KEY_STORE_HAS_CMKS',
  'CUSTOM_KEY_STORE_INVALID_STATE',
  'CUSTOM_KEY_STORE_NAME_IN_USE',
  'CUSTOM_KEY_STORE_NOT_FOUND',
  'DEPENDENCY_TIMEOUT',
  'DISABLED',
  'INCORRECT_KEY',
  'INCORRECT_TRUST_ANCHOR',
  'INVALID_ALIAS_NAME',
  'INVALID_ARN',
  'INVALID_CIPHERTEXT',
  'INVALID_KEY_USAGE',
  'INVALID_MARKER',
  'KEY_UNAVAILABLE',
  'KMS_INTERNAL',
  'KMS_INVALID_MAC',
  'KMS_INVALID_STATE',
  'LIMIT_EXCEEDED',
  'NOT_FOUND',
  'THROTTLING',
  'UNSUPPORTED_OPERATION',
  'VALIDATION',
] as const;

/** A code that callers may rely on. `docs/errors.md` has the remedy for each. */
export type ErrorCode = (typeof errorCodes)[number];

/**
 * Whether the same request may succeed later without a change of the request, the key or the configuration. In AWS the
 * SDKs know which exceptions to retry; here each error says so. A `sometimes` is decided by the code that makes the
 * error.
 */
export const retryability = {
  ACCESS_DENIED: 'never',
  ALREADY_EXISTS: 'never',
  CANCELLED: 'always',
  CLOUD_HSM_CLUSTER_IN_USE: 'never',
  CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION: 'sometimes',
  CLOUD_HSM_CLUSTER_NOT_FOUND: 'never',
  CLOUD_HSM_CLUSTER_NOT_RELATED: 'never',
  CUSTOM_KEY_STORE_HAS_CMKS: 'never',
  CUSTOM_KEY_STORE_INVALID_STATE: 'sometimes',
  CUSTOM_KEY_STORE_NAME_IN_USE: 'never',
  CUSTOM_KEY_STORE_NOT_FOUND: 'never',
  DEPENDENCY_TIMEOUT: 'always',
  DISABLED: 'never',
  INCORRECT_KEY: 'never',
  INCORRECT_TRUST_ANCHOR: 'never',
  INVALID_ALIAS_NAME: 'never',
  INVALID_ARN: 'never',
  INVALID_CIPHERTEXT: 'never',
  INVALID_KEY_USAGE: 'never',
  INVALID_MARKER: 'never',
  KEY_UNAVAILABLE: 'sometimes',
  KMS_INTERNAL: 'sometimes',
  KMS_INVALID_MAC: 'never',
  KMS_INVALID_STATE: 'sometimes',
  LIMIT_EXCEEDED: 'sometimes',
  NOT_FOUND: 'never',
  THROTTLING: 'always',
  UNSUPPORTED_OPERATION: 'never',
  VALIDATION: 'never',
} as const satisfies Record<ErrorCode, Retryability>;

/** `sometimes`: each error of this code says so itself. */
export type Retryability = 'never' | 'always' | 'sometimes';

/** The codes that alone decide whether a retry may help. */
export type SettledErrorCode = {
  [Code in ErrorCode]: (typeof retryability)[Code] extends 'sometimes' ? never : Code;
}[ErrorCode];

/** One field that broke a rule. `field` is the name in `snake_case`, with a path for nested ones (`tags[0].tag_key`). */
export interface FieldViolation {
  field: string;
  description: string;
}

/** The optional parts of an error besides code and message. */
export interface HoldfastErrorOptions {
  /** The actual cause: for the log, never for the wire (invariant 12). */
  cause?: unknown;
  fieldViolations?: readonly FieldViolation[];
  /** Whether the same request may succeed later without a change. Default: `retryability` of the code. */
  retryable?: boolean;
  /** The time that a caller should wait before a retry. Left out of an error that is not retryable. */
  retryAfterMs?: number | undefined;
  /** The state of the key, as DescribeKey shows it, if that is why the request is refused. */
  keyState?: KeyStateName;
  /** See `HoldfastError.callerDeadline`. */
  callerDeadline?: boolean;
}

/** AWS KMS API Reference, KeyMetadata.KeyState: the states that a key can have here. */
export type KeyStateName = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable';

/** An error whose code and message are meant for the caller. Every other thrown value is answered `KMS_INTERNAL`. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly fieldViolations: readonly FieldViolation[];
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly keyState: KeyStateName | undefined;
  /**
   * For DEPENDENCY_TIMEOUT: the caller's own deadline passed, which was shorter than the service's, and no HSM had
   * failed or overrun its time. It says nothing about the HSM.
   */
  readonly callerDeadline: boolean;

  constructor(code: SettledErrorCode, message: string, options?: HoldfastErrorOptions);
  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions & { retryable: boolean });
  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.fieldViolations = options.fieldViolations ?? [];
    this.retryable = options.retryable ?? retryability[code] === 'always';
    this.retryAfterMs = this.retryable ? options.retryAfterMs : undefined;
    this.keyState = options.keyState;
    this.callerDeadline = options.callerDeadline ?? false;
  }
}

/** Converts any thrown value to an error for the wire; the original stays as its cause, for the log. */
export function toHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  return new HoldfastError(
    'KMS_INTERNAL',
    'An internal error occurred. Its cause is in the server log under the request id.',
    // AWS KMS API Reference, KMSInternalException: "The request can be retried."
    { cause: thrown, retryable: true },
  );
}
