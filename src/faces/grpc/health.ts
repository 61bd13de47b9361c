import { HealthImplementation } from 'grpc-health-check';
import type { ServiceHost } from './open-streams.js';
import { processHealthName } from './process-health.js';
import { serviceNames } from './services.js';

/**
 * `grpc.health.v1.Health`, for the server as a whole (the empty name) and for each service. Not in the access table and
 * not audited: whoever passes the listener (on TCP: whoever has a certificate of the client authority) may ask. It says
 * whether this process takes work; whether an HSM does is in metrics and in DescribeCustomKeyStores.
 */
export class Health {
  readonly #implementation = new HealthImplementation();

  constructor() {
    this.setServing(false);
    this.setSound(true);
  }

  addTo(host: ServiceHost): void {
    this.#implementation.addToServer(host);
  }

  setServing(serving: boolean): void {
    for (const name of ['', ...serviceNames]) {
      this.#implementation.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    }
  }

  /** Whatever else it says: callers are served, where they are, until it asks to be replaced. */
  setSound(sound: boolean): void {
    this.#implementation.setStatus(processHealthName, sound ? 'SERVING' : 'NOT_SERVING');
  }
}
