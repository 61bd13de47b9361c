import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { issueServerCertificate } from '../test/certificates.js';
import type { EchoOptions } from './echo-server.js';
import type { MeasuredServer } from './measured-server.js';
import { measuredMethods, type MethodName } from './methods.js';
import { preflight } from './preflight.js';
import { startProcess, whenReady } from './processes.js';
import { collect } from './program.js';
import type { Target } from './target.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const script = fileURLToPath(new URL('echo-server.ts', import.meta.url));

/** The echo server: it takes the requests of a server and gives that server's answers to all of them. */
export class Echo {
  readonly #options: EchoOptions;
  readonly #server: MeasuredServer;
  #child: ChildProcess;
  #port: number;

  static async start(server: MeasuredServer): Promise<Echo> {
    const { authority } = server.deployment;
    const { certificatePath, keyPath } = issueServerCertificate(authority);
    const answers = measuredMethods.map(({ name, method }) => [method, server.answerOf(name).toString('base64')]);
    const options: EchoOptions = {
      certificatePath,
      keyPath,
      clientAuthorityPath: authority.certificatePath,
      responses: Object.fromEntries(answers) as EchoOptions['responses'],
    };
    const echo = new Echo(server, options, await spawn(options));
    for (const { name } of measuredMethods) await preflight(echo.target(name));
    return echo;
  }

  private constructor(server: MeasuredServer, options: EchoOptions, { child, port }: Started) {
    this.#server = server;
    this.#options = options;
    this.#child = child;
    this.#port = port;
  }

  /** What to load for a method. Valid until the next restart. */
  target(name: MethodName): Target {
    return { ...this.#server.target(name), port: this.#port, pid: this.#child.pid ?? 0 };
  }

  /** Starts the same server in a new process. */
  async restart(): Promise<void> {
    this.stop();
    const { child, port } = await spawn(this.#options);
    this.#child = child;
    this.#port = port;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

interface Started {
  child: ChildProcess;
  port: number;
}

/** As `holdfast serve` sets it: otherwise the ratio to the echo would show what V8's default costs the echo. */
const flagOfServe = '--no-allocation-site-pretenuring';

async function spawn(options: EchoOptions): Promise<Started> {
  const parameters = [flagOfServe, '--import', typescriptHooks, script, JSON.stringify(options)];
  const child = startProcess(process.execPath, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: withoutHooks(),
  });
  if (child.stdout === null) throw new Error('The echo server has no output.');
  const output = collect(child.stderr);
  const [line] = (await whenReady('The echo server', once(child.stdout, 'data'), output, child)) as [Buffer];
  return { child, port: Number(line.toString()) };
}
