/** Why a connection was refused: values of a metric's label, and the kinds by which log lines are limited. */
export type RefusalReason =
  | 'silent'
  | 'no-certificate'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'certificate-revoked'
  | 'unknown-authority'
  | 'revocation-list'
  | 'certificate-not-accepted'
  | 'protocol'
  | 'handshake-timeout'
  | 'handshake-broken'
  | 'too-many-connections'
  | 'too-many-handshakes'
  | 'too-many-strangers'
  | 'request-too-slow'
  | 'request-too-large'
  | 'request-malformed'
  | 'unknown-method'
  | 'other';

/** The reasons for our own refusals, as the log shows them. */
export const ownReasons = {
  tooManyConnections: 'too many connections to this listener',
  tooManyHandshakes: 'too many unfinished TLS handshakes',
  tooManyStrangers: 'too many connections of callers that are not principals',
  requestTooSlow: 'The request did not arrive in time.',
  requestTooLarge: 'This connection sends too much at once in requests that it does not finish.',
  messageTooLong: 'The message of a request is longer than limits.maximumMessageBytes.',
  malformed:
    'What a client sent is no gRPC request: no message, more than one, a part of one, or one that cannot be decompressed.',
  unknownMethod: 'A client calls a method that this version does not have.',
  notHttp2: 'the client does not speak HTTP/2 (ALPN)',
} as const;

const exact: ReadonlyMap<string, RefusalReason> = new Map([
  [ownReasons.tooManyConnections, 'too-many-connections'],
  [ownReasons.tooManyHandshakes, 'too-many-handshakes'],
  [ownReasons.tooManyStrangers, 'too-many-strangers'],
  [ownReasons.requestTooSlow, 'request-too-slow'],
  [ownReasons.requestTooLarge, 'request-too-large'],
  [ownReasons.messageTooLong, 'request-too-large'],
  [ownReasons.malformed, 'request-malformed'],
  [ownReasons.unknownMethod, 'unknown-method'],
  [ownReasons.notHttp2, 'protocol'],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'handshake-timeout'],
  ['ECONNRESET', 'handshake-broken'],
  ['EPIPE', 'handshake-broken'],
  ['CERT_HAS_EXPIRED', 'certificate-expired'],
  ['CERT_NOT_YET_VALID', 'certificate-not-yet-valid'],
  ['CERT_REVOKED', 'certificate-revoked'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'unknown-authority'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'unknown-authority'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'unknown-authority'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unknown-authority'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unknown-authority'],
  ['CERT_SIGNATURE_FAILURE', 'unknown-authority'],
]);

/** OpenSSL's codes, grouped; the first match counts. */
const patterns: readonly (readonly [RegExp, RefusalReason])[] = [
  [/PEER_DID_NOT_RETURN_A_CERTIFICATE/, 'no-certificate'],
  [/CRL/, 'revocation-list'],
  [
    /^(INVALID_(CA|PURPOSE|NON_CA)|PATH_LENGTH|CERT_|CA_|UNABLE_TO_DECODE|KEYUSAGE|UNSPECIFIED|OUT_OF_MEM)/,
    'certificate-not-accepted',
  ],
  [/^ERR_SSL_|^EPROTO/, 'protocol'],
];

/** The kind of a reason, which is one of our own or a code of OpenSSL or of the system. Never returns `silent`. */
export function refusalReason(detail: string): RefusalReason {
  return exact.get(detail) ?? patterns.find(([pattern]) => pattern.test(detail))?.[1] ?? 'other';
}
