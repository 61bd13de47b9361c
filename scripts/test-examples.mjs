#!/usr/bin/env node
/** Generates the code of the examples, builds them, and runs them against a server: `npm run test:examples`. */
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './setup.mjs';
import { execute, isInstalled, runMain, Steps } from './steps.mjs';

const help = `Usage: npm run test:examples [-- <options>]

Makes the Python and the Go example ready where their tool-chains are installed (packages come from PyPI and the Go module
proxy, into node_modules/.cache), and runs all examples against a server with a SoftHSM token.

Options:
  --quiet   only errors
  --help    show this`;

/** The folder where the tests look for the finished examples. */
const cache = join(root, 'node_modules/.cache/holdfast-examples');
const goPlugins = [
  'google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12',
  'google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2',
];

async function preparePython() {
  const [environment, generated] = [join(cache, 'python/venv'), join(cache, 'python/generated')];
  const python = join(environment, 'bin/python');
  if (!existsSync(python)) await execute('python3', ['-m', 'venv', environment]);
  const requirements = join(root, 'examples/python/requirements.txt');
  await execute(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  await mkdir(generated, { recursive: true });
  const folder = 'holdfast/kms/v1';
  const protos = (await readdir(join(root, 'proto', folder))).map((file) => join(folder, file));
  const outputs = [`--python_out=${generated}`, `--grpc_python_out=${generated}`];
  await execute(python, ['-m', 'grpc_tools.protoc', '-I', join(root, 'proto'), ...outputs, ...protos]);
}

async function prepareGo() {
  const binaries = join(cache, 'go/bin');
  for (const plugin of goPlugins) await execute('go', ['install', plugin], { env: { GOBIN: binaries } });
  const buf = join(root, 'node_modules/.bin/buf');
  const template = ['--template', 'examples/go/buf.gen.yaml', '--path', 'proto/holdfast'];
  const path = [binaries, process.env.PATH].join(delimiter);
  await execute(buf, ['generate', ...template], { cwd: root, env: { PATH: path } });
  await execute('go', ['build', '-o', join(cache, 'go/encrypt'), '.'], { cwd: join(root, 'examples/go') });
}

async function main() {
  const options = { quiet: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } };
  const { values } = parseArgs({ options });
  if (values.help) return console.log(help);
  const steps = new Steps({ quiet: values.quiet });
  await execute(process.execPath, [join(root, 'scripts/setup.mjs'), '--quiet']);
  if (isInstalled('python3')) await steps.run('the Python example', preparePython);
  else steps.say('python3 is not installed: its example is not run');
  if (isInstalled('go')) await steps.run('the Go example', prepareGo);
  else steps.say('go is not installed: its example is not run');
  await execute(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/examples'], {
    cwd: root,
    interactive: true,
  });
}

await runMain(main);
