/**
 * A client made by another tool-chain than the server's: @grpc/proto-loader reads the published .proto files at run
 * time. Requests and responses are plain objects with the names of the proto.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const protoFolder = fileURLToPath(new URL('../../proto', import.meta.url));
const serviceFolders = ['kms', 'admin'].map((name) => `${protoFolder}/holdfast/${name}/v1`);

export type Message = Record<string, unknown>;

export interface FieldViolation {
  field: string;
  description: string;
}

/** A refusal: the gRPC status and the `google.rpc.Status` in its details. */
export class CallError extends Error {
  constructor(
    readonly status: grpc.status,
    message: string,
    readonly reason: string | undefined,
    readonly domain: string | undefined,
    readonly fieldViolations: readonly FieldViolation[],
    readonly metadata: grpc.Metadata,
    /** The delay in `RetryInfo`, in milliseconds. */
    readonly retryDelayMs: number | undefined,
    /** `ErrorInfo.metadata`. */
    readonly info: Readonly<Record<string, string>>,
  ) {
    super(message);
  }
}

export interface MethodDescription {
  service: string;
  method: string;
  /** `/holdfast.kms.v1.KeyService/CreateKey`. */
  path: string;
}

const definitions = protoLoader.loadSync(
  serviceFolders.flatMap((folder) => readdirSync(folder).map((file) => `${folder}/${file}`)),
  { includeDirs: [protoFolder], keepCase: true, longs: String, enums: String, defaults: false },
);

const services = Object.entries(definitions)
  .filter(([name]) => name.endsWith('Service'))
  .map(([name, definition]) => ({ name, definition: definition as grpc.ServiceDefinition }));

/** Every method of every service in the descriptors. */
export const methods: readonly MethodDescription[] = services.flatMap(({ name, definition }) =>
  Object.values(definition).map((method) => ({
    service: name,
    method: method.path.split('/')[2] ?? '',
    path: method.path,
  })),
);

const details = new protobuf.Root();
details.resolvePath = (_origin, target) => `${protoFolder}/${target}`;
details.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);

/** The address of a server, and the caller's identity. */
export interface ClientOptions {
  /** `address:port` or `unix:path`. */
  target: string;
  credentials: grpc.ChannelCredentials;
}

export class HoldfastClient {
  readonly #clients: ReadonlyMap<string, { client: grpc.Client; definition: grpc.ServiceDefinition }>;
  /** Called for every refusal; a test searches them for secrets. */
  onError: (error: CallError) => void = () => undefined;
  /** Headers of every call. */
  headers: Readonly<Record<string, string>> = {};

  constructor(options: ClientOptions) {
    const channelOptions = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
    this.#clients = new Map(
      services.map(({ name, definition }) => [
        name,
        { client: new grpc.Client(options.target, options.credentials, channelOptions), definition },
      ]),
    );
  }

  /** Calls a method by its name. Rejects with `CallError`. */
  call(method: string, request: Message = {}, deadlineMs = 30_000): Promise<Message> {
    const found = this.#find(method);
    return this.#unary(
      found.client,
      found.path,
      found.requestSerialize,
      found.responseDeserialize,
      request,
      deadlineMs,
    );
  }

  /** Calls a method and cancels it when the signal is aborted; rejects with CANCELLED then. */
  cancellable(method: string, request: Message, signal: AbortSignal): Promise<Message> {
    const found = this.#find(method);
    const { client, path, requestSerialize, responseDeserialize } = found;
    return this.#unary(client, path, requestSerialize, responseDeserialize, request, 30_000, signal);
  }

  /** Sends raw bytes in place of a request message. */
  callRaw(method: string, bytes: Uint8Array, deadlineMs = 30_000): Promise<Message> {
    const found = this.#find(method);
    return this.#unary(found.client, found.path, asIs, found.responseDeserialize, bytes, deadlineMs);
  }

  /** The refusal of a call; fails if the call succeeds. */
  async refusal(method: string, request: Message = {}): Promise<CallError> {
    return this.#refusalOf(this.call(method, request), method);
  }

  async rawRefusal(method: string, bytes: Uint8Array): Promise<CallError> {
    return this.#refusalOf(this.callRaw(method, bytes), method);
  }

  close(): void {
    for (const { client } of this.#clients.values()) client.close();
  }

  async #refusalOf(call: Promise<Message>, method: string): Promise<CallError> {
    try {
      await call;
    } catch (error) {
      if (error instanceof CallError) return error;
      throw error;
    }
    throw new Error(`${method} was accepted.`);
  }

  #find(name: string) {
    const description = methods.find(({ method }) => method === name);
    const service = description === undefined ? undefined : this.#clients.get(description.service);
    if (description === undefined || service === undefined) throw new Error(`There is no method ${name}.`);
    const definition = Object.values(service.definition).find(({ path }) => path === description.path);
    if (definition === undefined) throw new Error(`There is no method ${name}.`);
    return {
      client: service.client,
      path: description.path,
      requestSerialize: (value: unknown) => serializeWhole(definition, value as Message),
      responseDeserialize: definition.responseDeserialize as (bytes: Buffer) => Message,
    };
  }

  #unary(
    client: grpc.Client,
    path: string,
    serialize: (value: never) => Buffer,
    deserialize: (bytes: Buffer) => Message,
    request: unknown,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<Message> {
    const deadline = Date.now() + deadlineMs;
    return new Promise((resolve, reject) => {
      const done = (error: grpc.ServiceError | null, response?: Message): void => {
        if (error === null) {
          resolve(response ?? {});
          return;
        }
        const callError = toCallError(error);
        this.onError(callError);
        reject(callError);
      };
      const metadata = new grpc.Metadata();
      for (const [name, value] of Object.entries(this.headers)) metadata.set(name, value);
      const write = serialize as (value: unknown) => Buffer;
      const call = client.makeUnaryRequest(path, write, deserialize, request, metadata, { deadline }, done);
      signal?.addEventListener('abort', () => {
        call.cancel();
      });
    });
  }
}

/** protobufjs drops unknown names of fields and of enum values: a test would send nothing without noticing. */
function serializeWhole(definition: grpc.MethodDefinition<unknown, unknown>, request: Message): Buffer {
  const bytes = definition.requestSerialize(request);
  const sent = definition.requestDeserialize(bytes) as Message;
  const lost = Object.keys(request).filter(
    (name) => request[name] !== undefined && !isEmpty(request[name]) && !(name in sent),
  );
  if (lost.length > 0) throw new Error(`The proto has no such field or value: ${lost.join(', ')}`);
  return bytes;
}

function asIs(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && Object.keys(value).length === 0;
}

function toCallError(error: grpc.ServiceError): CallError {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const found = bytes === undefined ? [] : decodeDetails(bytes as Buffer);
  const info = found.find(({ type }) => type === 'google.rpc.ErrorInfo')?.value;
  const badRequest = found.find(({ type }) => type === 'google.rpc.BadRequest')?.value;
  return new CallError(
    error.code,
    error.details,
    info?.['reason'] as string | undefined,
    info?.['domain'] as string | undefined,
    (badRequest?.['fieldViolations'] ?? []) as FieldViolation[],
    error.metadata,
    delayOf(found.find(({ type }) => type === 'google.rpc.RetryInfo')?.value),
    (info?.['metadata'] ?? {}) as Record<string, string>,
  );
}

function delayOf(retryInfo: Message | undefined): number | undefined {
  const delay = retryInfo?.['retryDelay'] as { seconds?: unknown; nanos?: number } | undefined;
  return delay === undefined ? undefined : Number(delay.seconds ?? 0) * 1_000 + (delay.nanos ?? 0) / 1e6;
}

function decodeDetails(bytes: Buffer): { type: string; value: Message }[] {
  const status = details.lookupType('google.rpc.Status').decode(bytes) as unknown as {
    details: { type_url: string; value: Uint8Array }[];
  };
  return status.details.map((detail) => {
    const type = detail.type_url.split('/').at(-1) ?? '';
    const messageType = details.lookupType(type);
    return { type, value: messageType.toObject(messageType.decode(detail.value)) };
  });
}
