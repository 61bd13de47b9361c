import {
  type CertificateEnd,
  certificateEnds,
  type CertificateKind,
  type TlsPaths,
} from '../certificates/certificate-end.js';
import { judgeTlsFiles } from '../certificates/tls-judgement.js';
import type { Clock } from '../clock.js';
import type { ListenerConfiguration, TlsListener } from '../config/configuration.js';
import type { TlsMaterial } from '../faces/grpc/tls-listener.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { PeriodicJob } from '../jobs/periodic-job.js';
import type { CertificateStatus } from '../status/service-status.js';
import { readTlsMaterial } from './listener-options.js';

/** Receives the result for the files of each listener, for the log and the metrics. */
export interface CertificateReloadEvents {
  /** The files are in use from now on. `problem`: connections fail with them, as they did before. */
  loaded(ends: readonly CertificateEnd[], problem: string | undefined): void;
  /** The files are not used: those in use are good, and connections would fail with these. */
  refused(ends: readonly CertificateEnd[], problem: string): void;
  /** The files cannot be read or used. */
  failed(paths: TlsPaths, error: unknown): void;
  /** Once a day, with all certificates and lists in use. */
  remind(ends: readonly CertificateEnd[]): void;
}

/** Replaces a listener's files. Throws, and changes nothing, if they are broken or do not fit together. */
export type ReplaceMaterial = (listenerIndex: number, material: TlsMaterial) => void;

/** The dependencies of the reload. */
export interface CertificateReloadTools {
  clock: Clock;
  events: CertificateReloadEvents;
  replace: ReplaceMaterial;
  onBackgroundError: BackgroundErrorListener;
}

const reminderIntervalMs = 86_400_000;

/** The new files must not replace good ones. */
class UntimelyFilesError extends Error {
  override readonly name = 'UntimelyFilesError';
}

const statusKinds: Record<CertificateKind, CertificateStatus['kind']> = {
  'server-certificate': 'CERTIFICATE',
  'client-authority': 'AUTHORITY',
  'revocation-list': 'REVOCATION_LIST',
};

interface InUse {
  index: number;
  listener: TlsListener;
  material: TlsMaterial;
  ends: readonly CertificateEnd[];
}

/** The certificates and revocation lists that the TLS listeners use, and their reload. */
export class CertificateReload {
  readonly #clock: Clock;
  readonly #events: CertificateReloadEvents;
  readonly #replace: ReplaceMaterial;
  readonly #inUse: InUse[];
  readonly #reminders: PeriodicJob;
  #trouble: string | null = null;

  /**
   * @param material the initial material of each listener, in the order of the listeners; undefined for one without TLS
   */
  constructor(
    listeners: readonly ListenerConfiguration[],
    material: readonly (TlsMaterial | undefined)[],
    { clock, events, replace, onBackgroundError }: CertificateReloadTools,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#replace = replace;
    this.#reminders = new PeriodicJob({
      clock,
      intervalMs: reminderIntervalMs,
      name: 'look at the ends of certificates',
      round: () => {
        events.remind(this.ends());
        return Promise.resolve();
      },
      onBackgroundError,
    });
    this.#inUse = listeners.flatMap((listener, index) => {
      const began = material[index];
      if (listener.kind !== 'tls' || began === undefined) return [];
      return [{ index, listener, material: began, ends: certificateEnds(began, listener) }];
    });
  }

  /** Reminds at once, and every day. */
  start(): void {
    this.#reminders.start();
  }

  async stop(): Promise<void> {
    await this.#reminders.stop();
  }

  /** The validity of all certificates and lists in use. */
  ends(): CertificateEnd[] {
    return this.#inUse.flatMap(({ ends }) => ends);
  }

  /** The expiry dates that `GetStatus` reports. Lists without an end date are left out. */
  status(): CertificateStatus[] {
    return this.ends().flatMap(({ kind, file, subject, notBefore, notAfter }) =>
      notAfter === undefined ? [] : [{ kind: statusKinds[kind], path: file, subject, notBefore, notAfter }],
    );
  }

  /**
   * The problem of the last reload; null if it had none. The files in use differ from those on disk while there is one.
   */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Reads the files of every listener again. Unusable or refused files change nothing; it then rejects at the end. */
  async reload(): Promise<void> {
    const errors: Error[] = [];
    for (const inUse of this.#inUse) {
      try {
        await this.#reloadOne(inUse);
      } catch (error) {
        errors.push(error as Error);
        if (!(error instanceof UntimelyFilesError)) this.#events.failed(inUse.listener, error);
      }
    }
    this.#trouble = errors.length === 0 ? null : errors.map(({ message }) => message).join('; ');
    if (this.#trouble !== null) throw new Error(this.#trouble, { cause: errors[0] });
  }

  async #reloadOne(inUse: InUse): Promise<void> {
    const material = await readTlsMaterial(inUse.listener);
    const ends = certificateEnds(material, inUse.listener);
    const problem = this.#problemOf(material);
    if (problem !== undefined && this.#problemOf(inUse.material) === undefined) {
      this.#events.refused(ends, problem);
      throw new UntimelyFilesError(problem);
    }
    this.#replace(inUse.index, material);
    inUse.material = material;
    inUse.ends = ends;
    this.#events.loaded(ends, problem);
  }

  #problemOf(material: TlsMaterial): string | undefined {
    const { server, clients } = judgeTlsFiles(material, this.#clock.now());
    return server ?? clients;
  }
}
