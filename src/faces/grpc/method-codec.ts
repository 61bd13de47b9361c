import { type BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { HoldfastError } from '../../errors.js';
import { destroySecretsIn, moveOffHeap } from '../../secret.js';
import { asBuffer, type StructureConversion } from './conversion.js';
import { countFields, strictReader, takeSecretText } from './wire.js';

/** The generated functions of a message. */
export interface GeneratedMessage<Message> {
  decode(input: BinaryReader): Message;
  encode(message: Message, writer: BinaryWriter): BinaryWriter;
}

/** Both directions of one method. */
export interface MethodCodec {
  /** Whether request or response carries a secret; their bytes are zeroed after use then. */
  readonly carriesSecrets: boolean;
  /**
   * The domain request. Overwrites secret texts in `frame`.
   * @throws VALIDATION for bytes that are not such a message, for invalid UTF-8 and for an encryption context with a
   * repeated name (in protobuf the last one would win). UNSUPPORTED_OPERATION for fields that the proto does not have.
   */
  decode(frame: Uint8Array): object;
  /** The wire form of a domain response. */
  encode(response: object): Uint8Array;
}

/** The generated code and the tables of conversions of one method: the input of `methodCodec`. */
export interface MethodMessages<Request, Response> {
  request: GeneratedMessage<Request>;
  requestFields: StructureConversion<Request>;
  response: GeneratedMessage<Response>;
  responseFields: StructureConversion<Response>;
  carriesSecrets?: boolean;
  /** Field numbers of encryption contexts in the request, by domain name. */
  contexts?: Readonly<Record<string, number>>;
  /** The request's secret text, if it has one. */
  secretText?: { name: string; fieldNumber: number };
}

/** @param methodName the AWS operation's name, for messages: "The request is not a valid EncryptRequest message" */
export function methodCodec<Request, Response>(
  methodName: string,
  messages: MethodMessages<Request, Response>,
): MethodCodec {
  const carriesSecrets = messages.carriesSecrets ?? false;
  const encoder = new ResponseEncoder(messages.response, messages.responseFields.isSecret ?? false);
  return {
    carriesSecrets,
    decode: (frame) =>
      messages.requestFields.plainReader.read(asBuffer(frame)) ?? decodeStrictly(methodName, messages, frame),
    encode: (response) =>
      messages.responseFields.plainWriter.write(response as Record<string, unknown>) ??
      encoder.encode(messages.responseFields.toWire(response)),
  };
}

/** The longest response whose writer is kept, with its memory, for the next one. */
const maxReusedBytes = 16_384;

/** Encodes with one writer repeatedly: a new one grows its memory in six steps for each response. */
class ResponseEncoder<Response> {
  readonly #message: GeneratedMessage<Response>;
  readonly #wipes: boolean;
  #writer: BinaryWriter | undefined;

  /** @param wipes whether responses carry secrets; no part of them may stay in the writer then. */
  constructor(message: GeneratedMessage<Response>, wipes: boolean) {
    this.#message = message;
    this.#wipes = wipes;
  }

  encode(response: Response): Uint8Array {
    const writer = this.#writer ?? this.#newWriter();
    // A writer that throws halfway is abandoned, with its content.
    this.#writer = undefined;
    const written = this.#message.encode(response, writer).finish();
    const bytes = this.#wipes ? moveOffHeap(written) : written;
    // `finish` has copied the bytes and reset the writer to its beginning.
    if (this.#wipes) writer.raw(new Uint8Array(bytes.length)).finish();
    if (bytes.length <= maxReusedBytes) this.#writer = writer;
    return bytes;
  }

  /** A writer that is wiped has its final size from the start: memory that a writer outgrows keeps its content. */
  #newWriter(): BinaryWriter {
    const writer = new BinaryWriter();
    if (this.#wipes) writer.raw(new Uint8Array(maxReusedBytes)).finish();
    return writer;
  }
}

/** Decodes any request, plain or not, and words every refusal. */
function decodeStrictly<Request, Response>(
  methodName: string,
  messages: MethodMessages<Request, Response>,
  frame: Uint8Array,
): object {
  // The generated decoder takes a zero tag for the end of the message and drops the rest; this one does not.
  const counts = parse(methodName, () => countFields(frame, Object.values(messages.contexts ?? {})));
  refuseUnknownFields(methodName, messages.requestFields.fieldCount, counts);
  const secret = parse(methodName, () =>
    messages.secretText === undefined ? undefined : takeSecretText(frame, messages.secretText.fieldNumber),
  );
  let request: Record<string, unknown> = {};
  try {
    const wire = parse(methodName, () => messages.request.decode(strictReader(frame)));
    request = messages.requestFields.toDomain(wire) as Record<string, unknown>;
    refuseDuplicateNames(messages.contexts ?? {}, request, counts);
    if (messages.secretText !== undefined && secret !== undefined) request[messages.secretText.name] = secret;
    return request;
  } catch (error) {
    secret?.destroy();
    destroySecretsIn(request);
    throw error;
  }
}

function parse<Parsed>(methodName: string, parser: () => Parsed): Parsed {
  try {
    return parser();
  } catch (cause) {
    const message = `The request is not a valid ${methodName}Request message: its bytes are broken, or a string is not UTF-8.`;
    throw new HoldfastError('VALIDATION', message, { cause });
  }
}

/**
 * Protobuf ignores unknown fields. A field of a newer client may be a future `dry_run`, and to ignore it is to execute
 * (invariant 13).
 */
function refuseUnknownFields(methodName: string, fieldCount: number, counts: ReadonlyMap<number, number>): void {
  const unknown = [...counts.keys()].find((fieldNumber) => fieldNumber > fieldCount);
  if (unknown === undefined) return;
  throw new HoldfastError(
    'UNSUPPORTED_OPERATION',
    `This version of Holdfast does not know field ${unknown} of ${methodName}Request. Is the client newer than the server?`,
  );
}

function refuseDuplicateNames(
  contexts: Readonly<Record<string, number>>,
  request: Record<string, unknown>,
  counts: ReadonlyMap<number, number>,
): void {
  for (const [name, fieldNumber] of Object.entries(contexts)) {
    const { size } = request[name] as ReadonlyMap<string, string>;
    if (size === 0 || counts.get(fieldNumber) === size) continue;
    const field = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    throw new HoldfastError('VALIDATION', `A name occurs more than once in ${field}.`, {
      fieldViolations: [{ field, description: 'A name occurs more than once.' }],
    });
  }
}
