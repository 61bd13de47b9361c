import { HealthImplementation } from 'grpc-health-check';
import type { Readiness } from '../../status/readiness.js';
import { keyStoreHealthName, liveHealthName, processHealthName } from './health-names.js';
import type { ServiceHost } from './open-streams.js';
import { cryptographyServiceName, serviceNames } from './services.js';

/** The published enum; the library's type lacks the last value, which is for names that no longer exist. */
type Status = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
type LibraryStatus = Parameters<HealthImplementation['setStatus']>[1];

/**
 * `grpc.health.v1.Health`. The empty name and `CryptographyService` are readiness: whether callers that need an HSM are
 * served. The other services need none. Each key store has a name, and so do liveness and the process. Health is
 * neither authorised nor audited: every peer that a listener lets in may ask (on TCP: every peer with a certificate of
 * the client authority).
 */
export class Health {
  readonly #implementation = new HealthImplementation();
  readonly #statuses = new Map<string, Status>();
  #keyStoreNames: string[] = [];
  #draining = false;

  constructor() {
    this.setReadiness({ control: false, cryptography: false, keyStores: new Map() });
    this.setSound(true);
    this.#set(liveHealthName, true);
  }

  addTo(host: ServiceHost): void {
    this.#implementation.addToServer(host);
  }

  /** Sets the answers from now on. A key store that is no longer listed is unknown. */
  setReadiness({ control, cryptography, keyStores }: Readiness): void {
    if (this.#draining) return;
    for (const name of serviceNames) this.#set(name, name === cryptographyServiceName ? cryptography : control);
    this.#set('', cryptography);
    const names = new Map([...keyStores].map(([keyStore, serving]) => [keyStoreHealthName(keyStore), serving]));
    for (const gone of this.#keyStoreNames.filter((name) => !names.has(name))) this.#put(gone, 'SERVICE_UNKNOWN');
    for (const [name, serving] of names) this.#set(name, serving);
    this.#keyStoreNames = [...names.keys()];
  }

  /** NOT_SERVING from now on, except liveness. */
  drain(): void {
    this.setReadiness({
      control: false,
      cryptography: false,
      keyStores: new Map(this.#keyStoreNames.map((name) => [name.slice(keyStoreHealthName('').length), false])),
    });
    this.#draining = true;
  }

  /** Independent of readiness: callers are still served while the process asks to be replaced. */
  setSound(sound: boolean): void {
    this.#set(processHealthName, sound);
  }

  #set(name: string, serving: boolean): void {
    this.#put(name, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /** Watchers are notified of changes only. */
  #put(name: string, status: Status): void {
    if (this.#statuses.get(name) === status) return;
    this.#statuses.set(name, status);
    this.#implementation.setStatus(name, status as LibraryStatus);
  }
}
