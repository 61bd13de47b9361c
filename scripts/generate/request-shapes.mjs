import { importOf } from './codecs.mjs';

const header = "// Made by scripts/generate-code.mjs from AWS's published model (proto/aws/kms-model.json).\n";
const documentation = "/** The fields of each operation's request and their limits, as AWS publishes them. */";
const constraints = 'bytes choice context flag integer list optional required secretText structure text'.split(' ');

/** The limits of all requests that are both in the protos and in the model, as TypeScript. */
export function requestShapesFile(services, model) {
  const names = services.rpcs.map((rpc) => rpc.name).filter((name) => model.operations[name] !== undefined);
  const operations = names.map((name) => `  ${name}: ${fieldsOf(model.operations[name].input)},\n`);
  const body = `${documentation}\nexport const requestShapes = {\n${operations.join('')}};\n`;
  return `${header}${importOf('../constraint.js', constraints, body)}\n${body}`;
}

function fieldsOf(shape, isRequest = true) {
  const fields = Object.entries(shape.members).map(([name, member]) => {
    const presence = shape.required?.includes(name) ? 'required' : 'optional';
    return `${lowerFirst(name)}: ${presence}(${shapeOf(member, isRequest)})`;
  });
  return `{ ${fields.join(', ')} }`;
}

function shapeOf(shape, isRequest) {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = shape;
  switch (shape.type) {
    case 'string':
      if (shape.enum !== undefined) return `choice(${shape.enum.map((value) => `'${value}'`).join(', ')})`;
      if (shape.sensitive && isRequest) return `secretText(${min}, ${max})`;
      return shape.pattern === undefined ? `text(${min}, ${max})` : `text(${min}, ${max}, ${wholeText(shape.pattern)})`;
    case 'blob':
      return `bytes(${min}, ${max})`;
    case 'integer':
      return `integer(${min}, ${max})`;
    case 'boolean':
      return 'flag';
    case 'map':
      return 'context';
    case 'list':
      return `list(${min}, ${max}, ${shapeOf(shape.member, false)})`;
    case 'structure':
      return `structure(${fieldsOf(shape, false)})`;
    default:
      throw new Error(`No limits for the type ${shape.type}.`);
  }
}

/** The model omits the anchors of some patterns; all of them mean the whole text. */
function wholeText(pattern) {
  const start = pattern.startsWith('^') ? '' : '^';
  const end = pattern.endsWith('$') ? '' : '$';
  return new RegExp(`${start}${pattern}${end}`).toString();
}

function lowerFirst(name) {
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
}
