import type { HsmCall } from './hsm-call.js';
import type { Principal } from './principal.js';

/** What an operation knows about the request around it. */
export interface RequestContext extends HsmCall {
  requestId: string;
  /** Its account and region are the scope of every name in the request. */
  principal: Principal;
}
