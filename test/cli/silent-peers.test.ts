import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ListKeysResponse } from '../../src/faces/grpc/gen/holdfast/kms/v1/key_service.js';
import { CertificateAuthority, type IssuedCertificate, issueServerCertificate } from '../certificates.js';

/**
 * The ways in which a peer can make a command wait: each must end by its `--timeout`. The command runs as users run it, as a
 * process.
 */

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const timeoutSeconds = 2;
/** Far above the timeout: only a command that does not end at all reaches it. */
const hungMs = 45_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-silent-'));
const authority = new CertificateAuthority();
const open: { close(): unknown }[] = [];
const sockets = new Set<Socket>();
let serverCertificate: IssuedCertificate;
let clientOptions: string[];

beforeAll(() => {
  serverCertificate = issueServerCertificate(authority);
  const client = authority.issue({ commonName: 'alice', usage: 'client' });
  clientOptions = ['--ca', authority.certificatePath, '--certificate', client.certificatePath, '--key', client.keyPath];
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of open) server.close();
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

async function listen(server: Server | Http2Server, where: string | number = 0): Promise<number> {
  open.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    if (typeof where === 'number') server.listen(where, '127.0.0.1', resolve);
    else server.listen(where, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Ended {
  exitCode: number | null;
  stderr: string;
  stdout: string;
}

function run(argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [commandLine, ...argv, '--timeout', String(timeoutSeconds)], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended: Ended = { exitCode: null, stderr: '', stdout: '' };
  child.stdout.on('data', (text: Buffer) => (ended.stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (ended.stderr += text.toString()));
  const guard = setTimeout(() => child.kill('SIGKILL'), hungMs);
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(guard);
      resolve({ ...ended, exitCode: code });
    });
  });
}

const plain = (port: number): string[] => ['--server', `127.0.0.1:${port}`, '--without-tls'];
const withTls = (port: number): string[] => ['--server', `localhost:${port}`, ...clientOptions];
const silent = () => createServer(() => undefined);

/** A connection over TLS whose bytes the test sends itself, once the handshake is done. */
function afterHandshake(speak: (socket: Socket) => void): Server {
  const { certificate: cert, key } = serverCertificate;
  return createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => undefined);
    speak(socket);
  });
}

function answering(answer: (stream: ServerHttp2Stream) => void): Http2Server {
  const server = createHttp2Server();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    answer(stream);
  });
  return server;
}

const grpcHeaders = { ':status': 200, 'content-type': 'application/grpc' };

/** A gRPC frame. */
function frame(message: Uint8Array, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** Writes the same data repeatedly, until the other side closes. */
function repeat(
  socket: { write(bytes: Buffer): unknown; once(event: 'close', listener: () => void): unknown },
  bytes: Buffer,
): void {
  const timer = setInterval(() => socket.write(bytes), 50);
  socket.once('close', () => clearInterval(timer));
}

/** An HTTP/2 SETTINGS frame, empty. */
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

const peers: Record<string, () => Promise<string[]>> = {
  'accepts and is silent': async () => plain(await listen(silent())),
  'accepts and is silent where TLS is expected': async () => withTls(await listen(silent())),
  'is a Unix socket that accepts and is silent': async () => {
    const path = join(folder, 'silent.sock');
    await listen(silent(), path);
    return ['--server', `unix:${path}`];
  },
  'stalls in the TLS handshake': async () => {
    const inner = await listen(afterHandshake(() => undefined));
    const { connect } = await import('node:net');
    const stalling = createServer((socket) => {
      let passed = 0;
      const onward = connect(inner, '127.0.0.1');
      sockets.add(onward);
      onward.on('error', () => undefined);
      socket.on('data', (bytes) => onward.write(bytes));
      // The server's first bytes, and never the rest.
      onward.on('data', (bytes: Buffer) => {
        if (passed < 100) socket.write(bytes.subarray(0, 100 - passed));
        passed += bytes.length;
      });
    });
    return withTls(await listen(stalling));
  },
  'is silent once TLS is up': async () => withTls(await listen(afterHandshake(() => undefined))),
  'opens HTTP/2 only halfway': async () => withTls(await listen(afterHandshake((socket) => socket.write(settings)))),
  'answers no call': async () => plain(await listen(answering(() => undefined))),
  'answers headers and nothing else': async () =>
    plain(await listen(answering((stream) => stream.respond(grpcHeaders, { waitForTrailers: true })))),
  'sends a message that never ends': async () =>
    plain(
      await listen(
        answering((stream) => {
          stream.respond(grpcHeaders, { waitForTrailers: true });
          stream.write(frame(Buffer.alloc(8), 4_000_000));
          repeat(stream, Buffer.alloc(16));
        }),
      ),
    ),
  'sends messages without end': async () =>
    plain(
      await listen(
        answering((stream) => {
          stream.respond(grpcHeaders, { waitForTrailers: true });
          repeat(stream, frame(Buffer.alloc(0)));
        }),
      ),
    ),
  'has lists without end': async () => {
    let pages = 0;
    return plain(
      await listen(
        answering((stream) => {
          const nextMarker = `more-${pages++}`;
          const page = ListKeysResponse.encode({ keys: [], nextMarker, truncated: true }).finish();
          stream.respond(grpcHeaders, { waitForTrailers: true });
          stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
          stream.end(frame(page));
        }),
      ),
    );
  },
  'sends garbage at once and keeps the connection open': async () =>
    plain(await listen(createServer((socket) => void socket.write(Buffer.alloc(4_096, 'garbage '))))),
  'sends garbage slowly': async () => plain(await listen(createServer((socket) => repeat(socket, Buffer.from('x'))))),
  'sends garbage where TLS is expected': async () =>
    withTls(await listen(createServer((socket) => void socket.write(Buffer.alloc(4_096, 'garbage '))))),
  'sends HTTP/2 settings without end': async () =>
    plain(await listen(createServer((socket) => repeat(socket, settings)))),
  'closes each connection': async () => plain(await listen(createServer((socket) => socket.end()))),
  'resets each connection': async () => plain(await listen(createServer((socket) => socket.resetAndDestroy()))),
};

const hung = new Map<string, Promise<Ended>>();

/** Runs all of them at once: each waits only for its own timeout. */
beforeAll(async () => {
  for (const [name, start] of Object.entries(peers)) hung.set(name, run(['key', 'list', ...(await start())]));
});

test.each(Object.keys(peers))(
  'a command ends although its peer %s',
  async (name) => {
    const ended = await hung.get(name);
    expect(ended?.exitCode, ended?.stderr).toBeOneOf([1, 3]);
    expect(ended?.stderr).toMatch(
      /^error: (TIMEOUT|UNREACHABLE|INTERNAL|RESOURCE_EXHAUSTED|UNIMPLEMENTED|CANCELLED|UNKNOWN): /,
    );
  },
  60_000,
);

test('a command ends although the name service hangs in its thread', async () => {
  const source = join(folder, 'name-service.c');
  const library = join(folder, 'name-service.so');
  writeFileSync(source, '#include <unistd.h>\nint getaddrinfo(void) { for (;;) pause(); }\n');
  const built = spawnSync('cc', ['-shared', '-fPIC', '-fno-builtin', '-o', library, source], { encoding: 'utf8' });
  expect(built.status, built.stderr).toBe(0);
  const ended = await run(['key', 'list', '--server', 'kms.example', '--without-tls'], { LD_PRELOAD: library });
  expect([ended.exitCode, ended.stderr]).toEqual([3, expect.stringContaining('error: TIMEOUT: ')]);
}, 60_000);

describe('proxies', () => {
  let proxyPort = 0;
  let connections = 0;
  beforeAll(async () => {
    proxyPort = await listen(createServer(() => (connections += 1)));
  });

  const names = ['grpc_proxy', 'https_proxy', 'http_proxy'];
  const spellings = names.flatMap((name) => [name, name.toUpperCase()]);

  test('no proxy is used for this machine, and no hint names one', async () => {
    connections = 0;
    const environment = Object.fromEntries(spellings.map((name) => [name, `http://127.0.0.1:${proxyPort}`]));
    const hosts = ['localhost:1', '127.0.0.1:1', '127.1.2.3:1', '[::1]:1'];
    const all = await Promise.all(
      hosts.map((host) => run(['key', 'list', '--server', host, '--without-tls'], environment)),
    );
    for (const { exitCode, stderr } of all) {
      expect([exitCode, stderr]).toEqual([3, expect.stringContaining('error: UNREACHABLE: ')]);
      expect(stderr).not.toMatch(/proxy/i);
    }
    expect(connections).toBe(0);
  }, 60_000);

  test('a silent proxy does not hold the command, and the hint names its variable without its password', async () => {
    connections = 0;
    const all = await Promise.all(
      names.map((name) =>
        run(['key', 'list', '--server', 'kms.example', '--without-tls'], {
          [name]: `http://user:secret@127.0.0.1:${proxyPort}`,
        }),
      ),
    );
    expect(connections).toBe(names.length);
    for (const [index, { exitCode, stderr }] of all.entries()) {
      expect(exitCode, stderr).toBe(3);
      expect(stderr).toContain(`through the proxy in ${names[index] ?? ''}`);
      expect(stderr).not.toContain('secret');
    }
  }, 60_000);
});

test('an IP address causes no warning of Node, and its certificate is checked', async () => {
  const { certificate: cert, key } = serverCertificate;
  const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => socket.destroy());
  const port = await listen(server);
  const right = await run(['health', '--server', `127.0.0.1:${port}`, ...clientOptions]);
  expect(right.stderr).not.toMatch(/Warning|DEP0123/);
  // It reached HTTP/2: the certificate fits this address.
  expect(right.stderr).not.toMatch(/certificate's altnames|does not match/i);
  const wrong = await run([
    'health',
    '--server',
    `127.0.0.2:${await listenOn('127.0.0.2', cert, key)}`,
    ...clientOptions,
  ]);
  expect(wrong.exitCode).toBe(3);
  expect(wrong.stderr).not.toMatch(/Warning|DEP0123/);
  expect(wrong.stderr).toMatch(/altnames/);
}, 60_000);

async function listenOn(address: string, cert: Buffer, key: Buffer): Promise<number> {
  const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, () => undefined);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
