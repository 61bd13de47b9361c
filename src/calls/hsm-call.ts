import type { Cancellation } from './cancellation.js';
import type { OperationTrace } from './trace.js';

/** The request behind a cluster operation. A `RequestContext` is an `HsmCall`. */
export interface HsmCall {
  /** Absolute, in `Clock.monotonicMs`: the call is answered by then. */
  deadlineMs: number;
  /** The deadline is the caller's own and earlier than the service's: its passing says nothing about an HSM. */
  deadlineIsCallers?: boolean | undefined;
  /** Receives the parts of the request, if it is traced. */
  trace?: OperationTrace | undefined;
  /** Says whether the caller still waits, if the face can know that. Making and destroying keys ignores it. */
  cancellation?: Cancellation | undefined;
}
