import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** What health and reflection ask of a server. */
export interface ServiceHost {
  addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void;
}

interface StreamingCall {
  end(): unknown;
  once(event: 'cancelled' | 'close', listener: () => void): unknown;
}

/**
 * The open streams of health and reflection. A `Watch` is open for ever, so that a drain has to end it: it would wait for
 * its whole bound otherwise.
 */
export class OpenStreams {
  readonly #calls = new Set<StreamingCall>();

  /** A host that adds services to `server`, with every call that streams its answer in sight of `endAll`. */
  host(server: ServiceHost): ServiceHost {
    return {
      addService: (service, implementation) => {
        server.addService(service, this.#watched(service, implementation));
      },
    };
  }

  endAll(): void {
    for (const call of this.#calls) call.end();
  }

  #watched(service: ServiceDefinition, implementation: UntypedServiceImplementation): UntypedServiceImplementation {
    const streaming = Object.entries(service).flatMap(([name, method]) =>
      method.responseStream ? [name, method.originalName] : [],
    );
    const entries = Object.entries(implementation).map(([name, handler]) => {
      if (!streaming.includes(name)) return [name, handler] as const;
      const handle = handler as (call: StreamingCall) => void;
      const watched = (call: StreamingCall): void => {
        this.#calls.add(call);
        call.once('cancelled', () => this.#calls.delete(call));
        call.once('close', () => this.#calls.delete(call));
        handle(call);
      };
      return [name, watched as typeof handler] as const;
    });
    return Object.fromEntries(entries);
  }
}
