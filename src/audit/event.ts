/**
 * The fields that identify a caller's certificate. Its owner chose the names: they are made printable and bounded in
 * length.
 */
export interface CallerCertificate {
  subject: string;
  /** As Node prints them: `DNS:…, URI:…`. */
  subjectAlternativeNames: string;
  /** 64 hex digits: the SHA-256 of the DER. */
  sha256: string;
}

/**
 * One audit record: one per request, allowed or not, and two per act of the service itself or of an operator's command.
 * Written as one line of JSON. Never contains a secret.
 */
export interface AuditEvent {
  /** ISO 8601, UTC. */
  time: string;
  requestId: string;
  /**
   * The wire protocol of the request; `service` for acts of the service itself, `command-line` for acts of an
   * operator's command.
   */
  face: string;
  /** The operation's AWS name, e.g. `CreateKey`. */
  operation: string;
  /** ARN of the principal, or null if the caller is unknown; `holdfast.internal`; or `local-user:<name>`. */
  principal: string | null;
  /** The certificate of a caller without a principal; left out for others, and if there is none. */
  certificate?: CallerCertificate;
  /** Peer address, or `unix`; `internal` or `local` if there was no request. */
  sourceAddress: string;
  /** The actions that were decided upon, e.g. `kms:Encrypt`. ReEncrypt has two. */
  actions: string[];
  /**
   * What decided about each action, e.g. `role:administrator`; `default` denied it. Left out if nothing was decided.
   */
  decidedBy?: string[];
  /** ARNs of keys and ids of key stores: those the request concerns, as far as they were found, or those it made. */
  resources: string[];
  /** `started` means that an act of the service begins; a record with the same request id says how it ended. */
  outcome: 'success' | 'denied' | 'failed' | 'started';
  /** Null on success. */
  errorCode: string | null;
  /** The request fields that the operation lists as audited, by their `snake_case` names. */
  parameters: Record<string, unknown>;
  durationMs: number;
}
