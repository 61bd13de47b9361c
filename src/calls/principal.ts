import type { Scope } from './scope.js';

/** The caller, as the configuration names its client certificate or Unix socket. */
export interface Principal extends Scope {
  /** `arn:<partition>:iam::<account>:user/<name>`. */
  arn: string;
  name: string;
}
