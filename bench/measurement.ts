/** What one run of one scenario gave. */
export interface Measurement {
  /** Successful operations per second. */
  rps: number;
  /** CPU time of the measured process, user and system, per operation. */
  cpuMicrosPerRequest: number;
  latencyMs: { p50: number; p99: number };
  /** What one operation took inside the simulated HSM, on average; left out elsewhere. */
  serviceTimeMs?: number;
}

/** A scenario at one level of load. */
export interface Scenario {
  /** E.g. `encrypt-h2load@32`. */
  name: string;
  /** Operations in flight at a time. */
  inFlight: number;
  measure(seconds: number): Promise<Measurement>;
}
