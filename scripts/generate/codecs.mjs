import { FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type } from '@bufbuild/protobuf/wkt';

const header = '// Made by scripts/generate-code.mjs from the protos.\n';
const conversions =
  'blob choice context flag fraction integer listOf secretBlob structure takenSecretText text timestamp wholeNumber'.split(
    ' ',
  );

const scalars = {
  [Type.STRING]: 'text',
  [Type.BYTES]: 'blob',
  [Type.BOOL]: 'flag',
  [Type.INT32]: 'integer',
  [Type.DOUBLE]: 'fraction',
  [Type.INT64]: 'wholeNumber',
  [Type.UINT64]: 'wholeNumber',
};

/** The codecs of all rpcs, as TypeScript. */
export function codecsFile(services) {
  const writer = new CodecWriter(services);
  const codecs = services.rpcs.map((rpc) => `  ${rpc.name}: ${writer.codec(rpc)},\n`).join('');
  const documentation = '/** How the messages of each rpc become requests and responses of the domain. */';
  const body = `${writer.shared()}\n${documentation}\nexport const generatedCodecs = {\n${codecs}};\n`;
  const imports = [
    importOf('../conversion.js', conversions, body),
    importOf('../enum-names.js', ['enumNames'], body),
    importOf('../method-codec.js', ['methodCodec'], body),
  ];
  return `${header}${imports.join('')}${writer.imports()}\n${body}`;
}

/** An import of the names that the code uses. */
export function importOf(path, names, code) {
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  return `import { ${used.join(', ')} } from '${path}';\n`;
}

/** Writes nested messages and enums once, before those that use them. */
class CodecWriter {
  #services;
  #parts = new Map();
  #files = new Map();

  constructor(services) {
    this.#services = services;
  }

  imports() {
    return [...this.#files].map(([name, alias]) => `import * as ${alias} from './${name}';\n`).join('');
  }

  shared() {
    return [...this.#parts].map(([name, code]) => `const ${name} = ${code};\n`).join('');
  }

  codec(rpc) {
    const request = this.#services.messages.get(rpc.inputType);
    const response = this.#services.messages.get(rpc.outputType);
    const secretText = request.field.find((field) => isSecret(field) && field.type === Type.STRING);
    const contexts = request.field
      .filter((field) => this.#isContext(field))
      .map((field) => `${field.jsonName}: ${field.number}`);
    return [
      `methodCodec('${rpc.name}', {`,
      `    request: ${this.#generated(request)},`,
      `    requestFields: ${this.#structure(request, true)},`,
      `    response: ${this.#generated(response)},`,
      `    responseFields: ${this.#structure(response)},`,
      ...([...request.field, ...response.field].some(isSecret) ? ['    carriesSecrets: true,'] : []),
      ...(contexts.length > 0 ? [`    contexts: { ${contexts.join(', ')} },`] : []),
      ...(secretText === undefined
        ? []
        : [`    secretText: { name: '${secretText.jsonName}', fieldNumber: ${secretText.number} },`]),
      '  })',
    ].join('\n');
  }

  #structure(message, isRequest = false) {
    const fields = message.field.map((field) => `${field.jsonName}: ${this.#conversion(field, isRequest)}`);
    const type = fields.length === 0 ? 'object' : this.#generated(message);
    return `structure<${type}>({ ${fields.join(', ')} })`;
  }

  #conversion(field, isRequest) {
    if (this.#isContext(field)) return 'context';
    const one = this.#single(field, isRequest);
    return field.label === Label.REPEATED ? `listOf(${one})` : one;
  }

  /** A secret text in a nested message belongs to a field that is refused as a whole. */
  #single(field, isRequest) {
    if (isSecret(field) && field.type === Type.BYTES) return 'secretBlob';
    if (isSecret(field) && field.type === Type.STRING && isRequest) return 'takenSecretText';
    if (field.typeName === '.google.protobuf.Timestamp') return 'timestamp';
    if (field.type === Type.MESSAGE) return this.#messagePart(field.typeName);
    if (field.type === Type.ENUM) return this.#enumPart(field.typeName);
    const scalar = scalars[field.type];
    if (scalar === undefined) throw new Error(`No conversion for the type of ${field.name}.`);
    return scalar;
  }

  #messagePart(typeName) {
    const message = this.#services.messages.get(typeName);
    return this.#part(message.name, () => this.#structure(message));
  }

  #enumPart(typeName) {
    const { name, file } = this.#services.enums.get(typeName);
    return this.#part(name, () => {
      const alias = this.#alias(file);
      return `choice(${alias}.${name}, enumNames('${name}'), ${alias}.${uncapitalised(name)}FromJSON)`;
    });
  }

  #part(typeName, code) {
    const name = uncapitalised(typeName);
    if (!this.#parts.has(name)) this.#parts.set(name, code());
    return name;
  }

  #generated({ file, name }) {
    return `${this.#alias(file)}.${name}`;
  }

  #alias(file) {
    const alias = file.name.replace(/^.*\/|\.proto$/g, '').replaceAll(/_(.)/g, (_, letter) => letter.toUpperCase());
    this.#files.set(file.name.replace('.proto', '.js'), `${alias}Messages`);
    return `${alias}Messages`;
  }

  /** Whether a field is an encryption context, the only kind of map. */
  #isContext(field) {
    return (
      field.label === Label.REPEATED && field.typeName.endsWith('Entry') && !this.#services.messages.has(field.typeName)
    );
  }
}

function uncapitalised(name) {
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
}

function isSecret(field) {
  return field.options?.debugRedact === true;
}
