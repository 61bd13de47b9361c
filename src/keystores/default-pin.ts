import type { Secret } from '../secret.js';
import type { DefaultKeyStore } from './connection-targets.js';

/** The default key store, with a PIN that another one may replace while the service runs. */
export class DefaultPin implements DefaultKeyStore {
  readonly clusterId: string;
  #pin: Secret;

  /** Takes ownership of the PIN. */
  constructor(clusterId: string, pin: Secret) {
    this.clusterId = clusterId;
    this.#pin = pin;
  }

  get pin(): Secret {
    return this.#pin;
  }

  /** Takes ownership of the new one. Logins that are under way keep their share of the old one. */
  replace(pin: Secret): void {
    this.#pin.destroy();
    this.#pin = pin;
  }
}
