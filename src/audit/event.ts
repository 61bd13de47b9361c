/** One audit record: one per request, allowed or not. Written as one line of JSON. Never holds a secret. */
export interface AuditEvent {
  /** ISO 8601, UTC. */
  time: string;
  requestId: string;
  /** Which wire protocol it came in by. */
  face: 'grpc';
  /** The operation's AWS name, e.g. `CreateKey`. */
  operation: string;
  /** ARN of the principal, or null when the caller is nobody we know. */
  principal: string | null;
  /** Peer address, or `unix`. */
  sourceAddress: string;
  /** The action that was decided upon, e.g. `kms:Encrypt`. ReEncrypt has two. */
  actions: string[];
  /** ARNs of the keys and ids of the key stores that it is about, as far as they were found, or what it has made. */
  resources: string[];
  outcome: 'success' | 'denied' | 'failed';
  /** Null on success. */
  errorCode: string | null;
  /** The request's fields that the access table names, by their `snake_case` names. */
  parameters: Record<string, unknown>;
  durationMs: number;
}
