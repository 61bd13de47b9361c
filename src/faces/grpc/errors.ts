import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { ErrorCode, HoldfastError } from '../../errors.js';
import { BadRequest, ErrorInfo, RetryInfo } from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';
import { choice } from './conversion.js';
import { enumNames } from './enum-names.js';
import { KeyState } from './gen/holdfast/kms/v1/key_metadata.js';

const keyState = choice(KeyState, enumNames('KeyState'));

/**
 * The gRPC status of each code. When two statuses fit:
 * - DEPENDENCY_TIMEOUT is DEADLINE_EXCEEDED, not UNAVAILABLE. The HSM may have done the work, as that status says, and
 *   clients retry UNAVAILABLE by themselves, which would load a slow HSM more and create keys twice.
 * - UNSUPPORTED_OPERATION is UNIMPLEMENTED, not FAILED_PRECONDITION: no change of state makes this server support it.
 * - An argument that is only wrong in the present state (a cluster of another family, a key in the wrong state) is
 *   FAILED_PRECONDITION; one that is always wrong is INVALID_ARGUMENT.
 */
export const statusOfCode = {
  ACCESS_DENIED: status.PERMISSION_DENIED,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  CANCELLED: status.CANCELLED,
  CLOUD_HSM_CLUSTER_IN_USE: status.ALREADY_EXISTS,
  CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION: status.FAILED_PRECONDITION,
  CLOUD_HSM_CLUSTER_NOT_FOUND: status.NOT_FOUND,
  CLOUD_HSM_CLUSTER_NOT_RELATED: status.FAILED_PRECONDITION,
  CUSTOM_KEY_STORE_HAS_CMKS: status.FAILED_PRECONDITION,
  CUSTOM_KEY_STORE_INVALID_STATE: status.FAILED_PRECONDITION,
  CUSTOM_KEY_STORE_NAME_IN_USE: status.ALREADY_EXISTS,
  CUSTOM_KEY_STORE_NOT_FOUND: status.NOT_FOUND,
  DEPENDENCY_TIMEOUT: status.DEADLINE_EXCEEDED,
  DISABLED: status.FAILED_PRECONDITION,
  INCORRECT_KEY: status.INVALID_ARGUMENT,
  INCORRECT_TRUST_ANCHOR: status.INVALID_ARGUMENT,
  INVALID_ALIAS_NAME: status.INVALID_ARGUMENT,
  INVALID_ARN: status.INVALID_ARGUMENT,
  INVALID_CIPHERTEXT: status.INVALID_ARGUMENT,
  INVALID_KEY_USAGE: status.INVALID_ARGUMENT,
  INVALID_MARKER: status.INVALID_ARGUMENT,
  KEY_UNAVAILABLE: status.UNAVAILABLE,
  KMS_INTERNAL: status.INTERNAL,
  KMS_INVALID_MAC: status.INVALID_ARGUMENT,
  KMS_INVALID_STATE: status.FAILED_PRECONDITION,
  LIMIT_EXCEEDED: status.RESOURCE_EXHAUSTED,
  NOT_FOUND: status.NOT_FOUND,
  THROTTLING: status.RESOURCE_EXHAUSTED,
  UNSUPPORTED_OPERATION: status.UNIMPLEMENTED,
  VALIDATION: status.INVALID_ARGUMENT,
} satisfies Record<ErrorCode, status>;

/** Metadata that carries the `google.rpc.Status` of an error. */
export const detailsHeader = 'grpc-status-details-bin';

/** `domain` of every ErrorInfo. */
const errorDomain = 'holdfast.kms';

/**
 * Maximum text lengths on the wire, in UTF-16 code units. Status and details travel as HTTP/2 header fields, and
 * clients close the call when those exceed their limit (8 KiB by default in some): a message that quotes a long field
 * must not.
 */
const maxMessageLength = 512;
const maxDescriptionLength = 128;
const maxFieldViolations = 10;

type CallError = Pick<ServiceError, 'code' | 'details' | 'metadata'>;

/**
 * The status, message and google.rpc details of an error. Its cause is not sent (invariant 12).
 * @param requestId undefined for a call that was answered before it became a request: no log has it
 */
export function toCallError(error: HoldfastError, requestId: string | undefined): CallError {
  const code = statusOfCode[error.code];
  const message = shorten(error.message, maxMessageLength);
  const metadata = new Metadata();
  if (requestId !== undefined) metadata.set('x-request-id', requestId);
  const details = Status.encode({ code, message, details: detailsOf(error, requestId) }).finish();
  metadata.set(detailsHeader, Buffer.from(details));
  return { code, details: message, metadata };
}

function detailsOf(error: HoldfastError, requestId: string | undefined): Status['details'] {
  const info = { reason: error.code, domain: errorDomain, metadata: infoMetadata(error, requestId) };
  const details = [pack('ErrorInfo', ErrorInfo.encode(info).finish())];
  if (error.fieldViolations.length > 0) details.push(pack('BadRequest', BadRequest.encode(badRequest(error)).finish()));
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.floor(error.retryAfterMs / 1000);
    const nanos = Math.round((error.retryAfterMs - seconds * 1000) * 1_000_000);
    details.push(pack('RetryInfo', RetryInfo.encode({ retryDelay: { seconds: BigInt(seconds), nanos } }).finish()));
  }
  return details;
}

/** `docs/errors.md` describes the names. Programs depend on them, so no name changes its meaning. */
function infoMetadata(error: HoldfastError, requestId: string | undefined): Map<string, string> {
  const metadata = new Map([['retryable', String(error.retryable)]]);
  if (requestId !== undefined) metadata.set('request_id', requestId);
  if (error.keyState !== undefined) metadata.set('key_state', keyState.toWire(error.keyState));
  if (error.code === 'DEPENDENCY_TIMEOUT') metadata.set('caller_deadline', String(error.callerDeadline));
  return metadata;
}

function badRequest(error: HoldfastError): BadRequest {
  return {
    fieldViolations: error.fieldViolations.slice(0, maxFieldViolations).map(({ field, description }) => ({
      field: shorten(field, maxDescriptionLength),
      description: shorten(description, maxDescriptionLength),
      reason: '',
      localizedMessage: undefined,
    })),
  };
}

function pack(name: string, value: Uint8Array): Status['details'][number] {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: Buffer.from(value) };
}

function shorten(text: string, longest: number): string {
  const short = text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
  // Half a surrogate pair becomes U+FFFD: grpc-js percent-encodes the message, which throws on it.
  return Buffer.from(short, 'utf8').toString('utf8');
}
