import { spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message } from './client.js';
import { Deployment, eventually } from './deployment.js';

/**
 * The compiled server under a supervisor: its messages to systemd, and its behaviour at the limits that systemd sets.
 */

let deployment: Deployment;

beforeEach(() => {
  deployment = new Deployment();
});
afterEach(() => deployment.dispose());

/** The data received on a datagram socket, one line each. Node has no such socket; perl is part of every Debian. */
const receive = `
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  bind($socket, pack_sockaddr_un($ARGV[0])) or die "bind: $!";
  $| = 1;
  while (defined recv($socket, my $message, 4096, 0)) { $message =~ s/\\n/ /g; print "$message\\n"; }`;

test('systemd is notified of ready, reload and stop, and its watchdog is fed from ready to the end', async () => {
  const path = join(deployment.folder, 'notify.sock');
  const receiver = spawn('perl', ['-MSocket', '-e', receive, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  receiver.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  try {
    await eventually(() => (existsSync(path) ? Promise.resolve() : Promise.reject(new Error('not yet'))));
    const heard = (pattern: RegExp) =>
      eventually(() => (pattern.test(text) ? Promise.resolve() : Promise.reject(new Error(text))));
    const server = await deployment.spawn({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '600000' });
    await heard(/^READY=1 STATUS=serving\nWATCHDOG=1\n(.*\n)*WATCHDOG=1\n/);
    server.child.kill('SIGHUP');
    await heard(/RELOADING=1 MONOTONIC_USEC=\d+ STATUS=.*\n(.*\n)*READY=1/);
    expect(await server.end('SIGTERM')).toBe(0);
    await heard(/STOPPING=1/);
  } finally {
    receiver.kill();
  }
}, 60_000);

test('if file descriptors run short, connections are refused and reported, and tokens and audit log keep working', async () => {
  const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const serve = `ulimit -n 512; exec "${process.execPath}" "${program}" serve --config "${deployment.configurationPath}"`;
  const server = spawn('sh', ['-c', serve], { stdio: ['ignore', 'ignore', openSync(deployment.logPath, 'a')] });
  const sockets: Socket[] = [];
  try {
    const client = deployment.socketClient();
    await eventually(() => client.call('GenerateRandom', { number_of_bytes: 1 }));
    const dial = () => void sockets.push(connect(deployment.socketPath).on('error', () => undefined));
    for (let count = 0; count < 300; count += 1) dial();
    const logged = (message: string) => deployment.logLines().some(({ msg }) => (msg as string).startsWith(message));
    await eventually(() =>
      logged('file descriptors run short') ? Promise.resolve() : Promise.reject(new Error('no')),
    );
    const { key_metadata: metadata } = await client.call('CreateKey');
    await client.call('Encrypt', { key_id: (metadata as Message)['key_id'], plaintext: Buffer.from('x') });
    expect(deployment.auditRecords().at(-1)).toMatchObject({ operation: 'Encrypt', outcome: 'success' });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.kill('SIGKILL');
  }
}, 60_000);
