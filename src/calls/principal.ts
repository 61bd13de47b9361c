import type { Scope } from './scope.js';

/** Who calls, as configuration names the client certificate or the Unix socket. */
export interface Principal extends Scope {
  /** `arn:<partition>:iam::<account>:user/<name>`. */
  arn: string;
  name: string;
}
