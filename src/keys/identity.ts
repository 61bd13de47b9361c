/** The names of this service in ARNs, from the configuration. */
export interface Identity {
  /** `aws`, or a name of the operator's choice. */
  readonly partition: string;
  readonly region: string;
  /** The accounts that principals may belong to: twelve digits each. */
  readonly accounts: readonly string[];
}
