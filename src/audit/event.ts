/** What tells a caller's certificate from others. Its owner chose the names: they are printable, and of bounded length. */
export interface CallerCertificate {
  subject: string;
  /** As Node prints them: `DNS:…, URI:…`. */
  subjectAlternativeNames: string;
  /** 64 hex digits: the SHA-256 of the DER. */
  sha256: string;
}

/**
 * One audit record: one per request, allowed or not, and two per act of the service or of an operator beside it. Written
 * as one line of JSON. Never holds a secret.
 */
export interface AuditEvent {
  /** ISO 8601, UTC. */
  time: string;
  requestId: string;
  /** Which wire protocol it came in by; `service` for what the service does by itself, `command-line` for what an operator does beside it. */
  face: string;
  /** The operation's AWS name, e.g. `CreateKey`. */
  operation: string;
  /** ARN of the principal, or null when the caller is nobody we know; `holdfast.internal`; or `local-user:<name>`. */
  principal: string | null;
  /** Of a caller that is no principal; left out for others, and where there is none. */
  certificate?: CallerCertificate;
  /** Peer address, or `unix`; `internal` or `local` where no request came in. */
  sourceAddress: string;
  /** The action that was decided upon, e.g. `kms:Encrypt`. ReEncrypt has two. */
  actions: string[];
  /** What decided about each action, e.g. `role:administrator`; `default` denied it. Left out where nothing was asked. */
  decidedBy?: string[];
  /** ARNs of the keys and ids of the key stores that it is about, as far as they were found, or what it has made. */
  resources: string[];
  /** `started`: an act of the service begins; a record with the same request id says how it ended. */
  outcome: 'success' | 'denied' | 'failed' | 'started';
  /** Null on success. */
  errorCode: string | null;
  /** The request's fields that the operation names, by their `snake_case` names. */
  parameters: Record<string, unknown>;
  durationMs: number;
}
