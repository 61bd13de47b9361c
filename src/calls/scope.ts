/** A namespace: keys, stores and aliases of one account in one region see only each other. */
export interface Scope {
  account: string;
  region: string;
}
