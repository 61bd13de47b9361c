import type { ServiceError } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, RetryInfo } from '../faces/grpc/gen/google/rpc/error_details.js';
import { Status } from '../faces/grpc/gen/google/rpc/status.js';
import type { ConnectionSettings } from './connection.js';
import { CliError, type ErrorOutlook, exitCodes } from './exit-codes.js';

/** Remedies by the server's error code. */
const hints: Readonly<Record<string, string>> = {
  ACCESS_DENIED: 'permissions are under principals in the configuration of the server; the audit log has this request',
  CLOUD_HSM_CLUSTER_NOT_FOUND: 'cluster ids are under clusters in the configuration of the server',
  CUSTOM_KEY_STORE_HAS_CMKS: 'schedule the deletion of its keys first, and wait until they are deleted',
  CUSTOM_KEY_STORE_INVALID_STATE:
    'holdfast key-store disconnect takes a CONNECTED or FAILED store to DISCONNECTED, and holdfast key-store connect takes it to CONNECTED; both take a moment, and --wait waits until they are done',
  CUSTOM_KEY_STORE_NOT_FOUND: 'holdfast key-store describe lists the key stores',
  INCORRECT_TRUST_ANCHOR: 'the certificate must be the trustAnchorCertificate of the cluster in the configuration',
  INVALID_CIPHERTEXT:
    'the ciphertext was changed, is not from this service, or was made with another encryption context',
  KEY_UNAVAILABLE:
    'no HSM of the cluster answers at the moment; try again later; holdfast doctor on the server shows which',
  KMS_INVALID_STATE:
    'holdfast key describe shows the state of the key, holdfast key-store describe that of its store; if both are fine the HSM does not answer, and holdfast doctor on the server shows why',
  NOT_FOUND: 'holdfast key list and holdfast alias list show what exists',
};

type Settings = Pick<ConnectionSettings, 'target' | 'timeoutMs' | 'proxy'>;

/** Converts a gRPC error to the command's error. */
export function toCliError(error: ServiceError, settings: Settings): CliError {
  const details = errorDetails(error);
  if (details.info !== undefined) {
    return new CliError(exitCodes.refused, details.info.reason, error.details, {
      details: details.violations.map(({ field, description }) => `${field}: ${description}`),
      hint: hints[details.info.reason],
      requestId: details.info.metadata.get('request_id'),
      outlook: outlookOf(details.info, details.retry),
      cause: error,
    });
  }
  if (error.code === status.UNAVAILABLE) return unreachable(error, settings);
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new CliError(exitCodes.unreachable, 'TIMEOUT', `no answer within ${settings.timeoutMs / 1_000} seconds`, {
      hint: `the request may or may not have been done; --timeout waits longer${proxyHint(settings)}`,
      cause: error,
    });
  }
  // A server may answer any number.
  const code = (status as Readonly<Record<number, string | undefined>>)[error.code] ?? 'UNKNOWN';
  return new CliError(exitCodes.refused, code, error.details, { cause: error });
}

function unreachable(error: ServiceError, settings: Settings): CliError {
  const { target } = settings;
  const certificateFault = /certificate|SSL|TLS|alert/i.test(error.details);
  return new CliError(
    exitCodes.unreachable,
    'UNREACHABLE',
    `${target} does not answer: ${error.details.replace(/ Resolution note: *$/, '')}`,
    {
      hint: hintOf(certificateFault, target) + proxyHint(settings),
      cause: error,
    },
  );
}

function hintOf(certificateFault: boolean, target: string): string {
  return certificateFault
    ? 'check --ca (who signed the server), --certificate and --key (who signed the client), and the name in the certificate of the server'
    : target.startsWith('unix:')
      ? 'is the server running (holdfast serve), and is the path right?'
      : 'is the server running (holdfast serve), and is the address right? A server that does not accept this client certificate (from another authority, expired, revoked) closes the connection too; its log then says "connection refused", and why';
}

/** The variable's name alone: its value may contain a password. */
function proxyHint({ proxy }: Settings): string {
  if (proxy === undefined) return '';
  return proxy.isUsed
    ? `. The connection goes through the proxy in ${proxy.name}; no_proxy lists the hosts to reach without it`
    : `. ${proxy.name} is set but not used: gRPC reads grpc_proxy, https_proxy and http_proxy in lower case`;
}

interface ErrorDetails {
  info: ErrorInfo | undefined;
  violations: { field: string; description: string }[];
  retry: RetryInfo | undefined;
}

function outlookOf({ metadata }: ErrorInfo, retry: RetryInfo | undefined): ErrorOutlook {
  const delay = retry?.retryDelay;
  return {
    retryable: flag(metadata.get('retryable')),
    retryDelayMs: delay === undefined ? undefined : Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000,
    keyState: metadata.get('key_state'),
    callerDeadline: flag(metadata.get('caller_deadline')),
  };
}

function flag(value: string | undefined): boolean | undefined {
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

/** Reads `grpc-status-details-bin` (google.rpc.Status). Unreadable details count as none. */
function errorDetails(error: ServiceError): ErrorDetails {
  const found: ErrorDetails = { info: undefined, violations: [], retry: undefined };
  const [encoded] = error.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(encoded)) return found;
  try {
    for (const { typeUrl, value } of Status.decode(encoded).details) {
      if (typeUrl.endsWith('/google.rpc.ErrorInfo')) found.info = ErrorInfo.decode(value);
      else if (typeUrl.endsWith('/google.rpc.RetryInfo')) found.retry = RetryInfo.decode(value);
      else if (typeUrl.endsWith('/google.rpc.BadRequest')) found.violations = BadRequest.decode(value).fieldViolations;
    }
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    return { info: undefined, violations: [], retry: undefined };
  }
  return found;
}
