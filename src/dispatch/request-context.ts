import type { Principal } from '../policy/authorizer.js';

/** What a use case knows of the request around it. */
export interface RequestContext {
  requestId: string;
  /** Its account and region are the scope of every name in the request. */
  principal: Principal;
  /** Absolute, in `Clock.monotonicMs`: by then the caller has an answer. */
  deadlineMs: number;
}
