import { Echo } from './echo.js';
import { MeasuredServer } from './measured-server.js';
import type { ClusterOfTest } from '../test/e2e/deployment.js';

export interface WorkbenchOptions {
  lanes: number;
  /** Numbers of keys on the tokens of further servers, beside the one with a single key. */
  keysOnToken: readonly number[];
}

/** A server whose `Encrypt` is compared with the real one's. */
export interface VariantServer {
  /** The part after `encrypt` in the names of its scenarios. */
  name: string;
  server: MeasuredServer;
}

/** All measured parts, running: servers on tokens of their own, one of which has a token for the addon too, and the echo. */
export class Workbench {
  /** The real server. */
  readonly holdfast: MeasuredServer;
  readonly variants: readonly VariantServer[];
  readonly echo: Echo;

  static async start(options: WorkbenchOptions): Promise<Workbench> {
    const started: (() => Promise<void> | void)[] = [];
    try {
      const holdfast = await MeasuredServer.start({ lanes: options.lanes });
      started.push(() => holdfast.stop());
      const echo = await Echo.start(holdfast);
      started.push(() => echo.stop());
      const variants: VariantServer[] = [];
      for (const [name, variant] of variantsOf(options.keysOnToken)) {
        const server = await MeasuredServer.start({ lanes: options.lanes, ...variant });
        started.push(() => server.stop());
        variants.push({ name, server });
      }
      return new Workbench(holdfast, variants, echo);
    } catch (error) {
      for (const stop of started.toReversed()) await stop();
      throw error;
    }
  }

  private constructor(holdfast: MeasuredServer, variants: readonly VariantServer[], echo: Echo) {
    this.holdfast = holdfast;
    this.variants = variants;
    this.echo = echo;
  }

  get softHsm(): { libraryPath: string; environment: { SOFTHSM2_CONF: string }; directory: string } {
    return this.holdfast.deployment.softHsm;
  }

  /** The token that the server does not use. */
  get benchToken(): ClusterOfTest {
    return this.holdfast.deployment.customCluster;
  }

  /** Throws if a request to a real server has failed since the last call. */
  checkAudit(): void {
    for (const server of this.#servers()) server.checkAudit();
  }

  async stop(): Promise<void> {
    this.echo.stop();
    await Promise.all(this.#servers().map((server) => server.stop()));
  }

  #servers(): MeasuredServer[] {
    return [this.holdfast, ...this.variants.map(({ server }) => server)];
  }
}

function variantsOf(keysOnToken: readonly number[]): [string, { keysOnToken?: number; cheapToken?: boolean }][] {
  return [
    ['cheap-token', { cheapToken: true }],
    ...keysOnToken.map((keys): [string, { keysOnToken: number }] => [`${keys}-keys`, { keysOnToken: keys }]),
  ];
}
