import { isIP } from 'node:net';
import { checkServerIdentity as identityFault, type ConnectionOptions } from 'node:tls';
import type { ChannelCredentials, MethodDefinition } from '@grpc/grpc-js';
import { Client, credentials, Metadata, setLogger } from '@grpc/grpc-js';
import { AdminServiceService } from '../faces/grpc/gen/holdfast/admin/v1/admin_service.js';
import { BackupServiceService } from '../faces/grpc/gen/holdfast/admin/v1/backup_service.js';
import { ClusterServiceService } from '../faces/grpc/gen/holdfast/admin/v1/cluster_service.js';
import { CredentialServiceService } from '../faces/grpc/gen/holdfast/admin/v1/credential_service.js';
import { CryptographyServiceService } from '../faces/grpc/gen/holdfast/kms/v1/cryptography_service.js';
import { KeyServiceService } from '../faces/grpc/gen/holdfast/kms/v1/key_service.js';
import { KeyStoreServiceService } from '../faces/grpc/gen/holdfast/kms/v1/key_store_service.js';
import { readRegularFile, UnreadableFileError } from '../regular-file.js';
import type { ConnectionSettings } from './connection.js';
import { localError } from './exit-codes.js';
import type { HealthResponse } from './health-method.js';
import { toCliError } from './server-error.js';

const methods = {
  ...KeyStoreServiceService,
  ...KeyServiceService,
  ...CryptographyServiceService,
  ...AdminServiceService,
  ...ClusterServiceService,
  ...BackupServiceService,
  ...CredentialServiceService,
};

/** Every method of our services, by its name in lower camel case. */
export type Methods = typeof methods;
/**
 * An AWS operation's name with its first letter in lower case, e.g. `describeKey`: the argument of `KmsClient.call`.
 */
export type MethodName = keyof Methods;
/** The generated request message of a method: the wire form, not the domain's request. */
export type RequestOf<Name extends MethodName> = Parameters<Methods[Name]['requestSerialize']>[0];
/** The generated response message of a method. Enums are strings with their prefix, e.g. `KEY_STATE_ENABLED`. */
export type ResponseOf<Name extends MethodName> = ReturnType<Methods[Name]['responseDeserialize']>;

/** A connection to one server. */
export class KmsClient {
  readonly #client: Client;
  readonly #settings: ConnectionSettings;
  #startedMs: number | undefined;

  private constructor(client: Client, settings: ConnectionSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  /** Reads the certificates. The connection is made by the first call. */
  static async open(settings: ConnectionSettings): Promise<KmsClient> {
    // grpc-js would print to stderr, unescaped, whatever a server sends against the rules. That would break programs
    // that read JSON there.
    setLogger({});
    const channelOptions = { 'grpc.enable_http_proxy': settings.proxy?.isUsed === true ? 1 : 0 };
    return new KmsClient(new Client(settings.target, await channelCredentials(settings), channelOptions), settings);
  }

  /**
   * The time left of the settings' timeout, in milliseconds. It starts with the first call: typing before it does not
   * count.
   */
  get remainingMs(): number {
    return Math.max(0, this.#deadline.getTime() - Date.now());
  }

  /**
   * Calls one method.
   * @throws CliError with the server's code, or one that says that there was no answer
   */
  call<Name extends MethodName>(name: Name, request: RequestOf<Name>): Promise<ResponseOf<Name>> {
    return this.#call(methods[name] as unknown as MethodDefinition<RequestOf<Name>, ResponseOf<Name>>, request);
  }

  /**
   * Asks whether the server takes requests: `SERVING`, `NOT_SERVING`, or another status of `grpc.health.v1`.
   * @param service empty: the server as a whole
   * @throws CliError as `call` does
   */
  async health(service = ''): Promise<HealthResponse['status']> {
    // The module reads its proto file when it is loaded: other commands need not wait for that.
    const { healthCheck } = await import('./health-method.js');
    return (await this.#call(healthCheck, { service })).status;
  }

  #call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    const deadline = this.#deadline;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline },
        (error, response) => {
          if (error !== null) reject(toCliError(error, this.#settings));
          else if (response === undefined) reject(new Error(`${method.path} answered neither a response nor an error`));
          else resolve(response);
        },
      );
    });
  }

  /** One deadline for all calls: a server whose lists never end must not hold the command. */
  get #deadline(): Date {
    // The CLI may read a clock: it is not part of the domain. gRPC wants wall time here.
    this.#startedMs ??= Date.now();
    return new Date(this.#startedMs + this.#settings.timeoutMs);
  }

  close(): void {
    this.#client.close();
  }
}

async function channelCredentials({ security, host }: ConnectionSettings): Promise<ChannelCredentials> {
  if (security.kind === 'none') return credentials.createInsecure();
  const [ca, key, certificate] = await Promise.all([security.ca, security.key, security.certificate].map(readPem));
  try {
    if (host === undefined || isIP(host) === 0) return credentials.createSsl(ca, key, certificate);
    return withoutServerName(
      // Without a server name Node does not know which address the certificate must have.
      credentials.createSsl(ca, key, certificate, { checkServerIdentity: (_name, peer) => identityFault(host, peer) }),
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw localError(`the client certificate cannot be used: ${reason}`, error, 'check --ca, --certificate and --key');
  }
}

/** grpc-js would send the address as a server name, which RFC 6066 §3 forbids and Node warns about. */
function withoutServerName(ssl: ChannelCredentials): ChannelCredentials {
  const create = ssl._createSecureConnector.bind(ssl);
  ssl._createSecureConnector = (...parameters) => {
    const connector = create(...parameters);
    // A test checks for the warning, so an update of grpc-js that moves the options fails it.
    const { connectionOptions } = connector as { connectionOptions?: ConnectionOptions };
    if (connectionOptions !== undefined) connectionOptions.servername = '';
    return connector;
  };
  return ssl;
}

/** The maximum size of a PEM file: a bundle of authorities is smaller. */
const maximumPemBytes = 1_048_576;

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readRegularFile(file, { maximumBytes: maximumPemBytes });
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) throw error;
    throw localError(error.message, error, 'check --ca, --certificate and --key, or the profile');
  }
}
