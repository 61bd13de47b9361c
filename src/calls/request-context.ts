import type { HsmCall } from './hsm-call.js';
import type { Principal } from './principal.js';

/** The request around an operation. */
export interface RequestContext extends HsmCall {
  requestId: string;
  /** Its account and region are the scope of every name in the request. */
  principal: Principal;
}
