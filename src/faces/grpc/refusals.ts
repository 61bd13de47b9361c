import type { DropArgument, Server } from 'node:net';
import type { CallerCertificate } from '../../audit/event.js';
import type { Clock } from '../../clock.js';
import { ownReasons, refusalReason, type RefusalReason } from './refusal-reason.js';

/** A connection that was refused before any request: no certificate, a wrong authority, an old TLS version, … */
export interface ConnectionRefusal {
  /** IP address of the peer, or `unknown`. */
  sourceAddress: string;
  /** Code or message of the TLS error. */
  reason: string;
  /** The class of the reason, from a closed list. */
  kind: RefusalReason;
  /** The peer's certificate; undefined if it sent none. */
  certificate?: CallerCertificate | undefined;
  /** The number of further refusals of this kind since its last report, which were not reported. */
  unreported: number;
}

/** The facts about a peer before it was refused. */
interface Seen {
  certificate?: CallerCertificate | undefined;
  /** It sent nothing, like a port scan or the TCP probe of a load balancer. */
  isSilent?: boolean;
}

/** At most one report of each kind in this time: anyone who reaches the port can cause refusals. */
const reportIntervalMs = 10_000;

/**
 * Reports refusals without flooding the log: the first of each kind at once, then one per interval with the count of
 * the rest. A flood of one kind does not hide another.
 */
export class RefusalReporter {
  readonly #clock: Clock;
  readonly #report: (refusal: ConnectionRefusal) => void;
  readonly #count: (kind: RefusalReason) => void;
  readonly #kinds = new Map<RefusalReason, { nextReportMs: number; unreported: number }>();

  /** @param count called for every refusal, for a metric */
  constructor(
    clock: Clock,
    report: (refusal: ConnectionRefusal) => void,
    count: (kind: RefusalReason) => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#report = report;
    this.#count = count;
  }

  refused(sourceAddress: string, reason: string, { certificate, isSilent = false }: Seen = {}): void {
    const kind = isSilent ? 'silent' : refusalReason(reason);
    this.#count(kind);
    const nowMs = this.#clock.monotonicMs();
    const known = this.#kinds.get(kind);
    if (known !== undefined && nowMs < known.nextReportMs) {
      known.unreported += 1;
      return;
    }
    this.#kinds.set(kind, { nextReportMs: nowMs + reportIntervalMs, unreported: 0 });
    const identity = certificate === undefined ? {} : { certificate };
    this.#report({ sourceAddress, reason, kind, ...identity, unreported: known?.unreported ?? 0 });
  }
}

/** Reports the connections that a server drops because it has its maximum (`maxConnections`). */
export function reportDrops(server: Server, refusals: RefusalReporter): void {
  server.on('drop', (dropped?: DropArgument) => {
    refusals.refused(dropped?.remoteAddress ?? 'unix', ownReasons.tooManyConnections);
  });
}
