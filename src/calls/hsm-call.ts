import type { Cancellation } from './cancellation.js';
import type { OperationTrace } from './trace.js';

/** What a cluster knows of the request that it works for. A `RequestContext` is one. */
export interface HsmCall {
  /** Absolute, in `Clock.monotonicMs`: by then there is an answer. */
  deadlineMs: number;
  /** The deadline is the caller's own and earlier than the service's: that it passes says nothing about an HSM. */
  deadlineIsCallers?: boolean | undefined;
  /** What its parts are told to, where this request is traced. */
  trace?: OperationTrace | undefined;
  /** Whether anybody still waits for it, where the face can tell. Making and destroying keys does not ask. */
  cancellation?: Cancellation | undefined;
}
