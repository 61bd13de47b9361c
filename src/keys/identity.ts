/** What this service calls itself in ARNs. From the configuration. */
export interface Identity {
  /** `aws`, or a name of the operator's own. */
  readonly partition: string;
  readonly region: string;
  /** The accounts that principals may belong to: twelve digits each. */
  readonly accounts: readonly string[];
}
