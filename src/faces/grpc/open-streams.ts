import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** The part of a server that health and reflection need. */
export interface ServiceHost {
  addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void;
}

interface StreamingCall {
  end(): unknown;
  once(event: 'cancelled' | 'close', listener: () => void): unknown;
}

/**
 * The open streams of health and reflection. A `Watch` stays open for ever, and a drain must end it: it would otherwise
 * wait for its whole bound.
 */
export class OpenStreams {
  readonly #calls = new Set<StreamingCall>();

  /** A host that adds services to `server`, and lets `endAll` end every call that streams its answer. */
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
