import type { ByThread } from './thread-cpu.js';

/** The result of one run of one scenario. */
export interface Measurement {
  /** Successful operations per second. */
  rps: number;
  /** CPU time of the measured process, user and system, per operation. */
  cpuMicrosPerRequest: number;
  /** The same by what the threads do; left out if the process is not Node. */
  cpuMicrosByThread?: ByThread;
  /** How often the threads went to sleep, per operation; left out like the figure above. */
  sleepsByThread?: ByThread;
  latencyMs: { p50: number; p99: number };
  /** The average duration of one operation inside the simulated HSM; left out elsewhere. */
  serviceTimeMs?: number;
}

/** A scenario at one level of load. */
export interface Scenario {
  /** E.g. `encrypt-h2load@32`. */
  name: string;
  /** Concurrent operations. */
  inFlight: number;
  /** The scenario of the echo with messages of the same sizes; left out if there is none. */
  echo?: string;
  /** Whether the scenario's server receives requests of one method only. */
  ofVariant?: boolean;
  measure(seconds: number): Promise<Measurement>;
  /** Sends this many requests, unmeasured; left out if nothing needs to be warmed up. */
  send?: (requests: number) => Promise<void>;
}
