import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DescriptorEvent, guardAccepts } from './accept-guard.js';

let server: Server;
let events: DescriptorEvent['kind'][];
let clients: Socket[];

beforeEach(() => {
  events = [];
  clients = [];
});

afterEach(() => {
  for (const client of clients) client.destroy();
  server.close();
});

/** The lowest free descriptor. */
function nextDescriptor(): number {
  const descriptor = openSync('/dev/null', 'r');
  closeSync(descriptor);
  return descriptor;
}

async function listen(maximumConnections: number, firstReserved: number): Promise<void> {
  server = createServer((socket) => {
    setImmediate(() => socket.destroyed || socket.write('accepted'));
  });
  guardAccepts(server, maximumConnections, { firstReserved, onEvent: ({ kind }) => events.push(kind) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

/** Whether the server accepted the connection. */
async function dial(): Promise<boolean> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  clients.push(client);
  client.on('error', () => undefined);
  return Promise.race([once(client, 'data').then(() => true), once(client, 'close').then(() => false)]);
}

async function hangUp(): Promise<void> {
  for (const client of clients.splice(0)) client.destroy();
  await new Promise<void>((resolve) => {
    const look = () =>
      server.getConnections((_error, count) => {
        if (count === 0) resolve();
        else setImmediate(look);
      });
    look();
  });
}

test('connections are refused from the reserve on, and accepted again when some close', async () => {
  // Clients and server share this process, so a connection takes two.
  await listen(1_000, nextDescriptor() + 12);
  const taken: boolean[] = [];
  for (let count = 0; count < 20; count += 1) taken.push(await dial());
  const accepted = taken.filter(Boolean).length;
  expect(accepted).toBeGreaterThan(1);
  expect(accepted).toBeLessThan(10);
  expect(taken.slice(accepted)).toEqual(taken.slice(accepted).map(() => false));
  expect(events).toEqual(['short', ...taken.slice(accepted).map(() => 'refused')]);
  await hangUp();
  expect(await dial()).toBe(true);
  expect(events.at(-1)).toBe('enough');
});

test('a momentary shortage of descriptors leaves no bound behind, however long a connection stays', async () => {
  await listen(1_000, nextDescriptor() + 12);
  expect(await dial()).toBe(true);
  const others = Array.from({ length: 30 }, () => openSync('/dev/null', 'r'));
  expect([await dial(), await dial()]).toEqual([false, false]);
  for (const descriptor of others) closeSync(descriptor);
  expect([await dial(), await dial()]).toEqual([true, true]);
  expect(events).toEqual(['short', 'refused', 'refused', 'enough']);
});

test('a listener without any connection accepts one from the reserve', async () => {
  await listen(1_000, 0);
  expect([await dial(), await dial()]).toEqual([true, false]);
  await hangUp();
  expect(await dial()).toBe(true);
  expect(events).toEqual(['short', 'refused']);
});

test('the number of connections is bounded too, and reaching that bound is not a shortage of descriptors', async () => {
  await listen(2, 1_000_000);
  expect([await dial(), await dial(), await dial()]).toEqual([true, true, false]);
  expect(events).toEqual([]);
});

test('an accept that fails is reported, and does not end the process', async () => {
  await listen(2, 1_000_000);
  server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' }));
  expect(events).toEqual(['refused']);
  expect(await dial()).toBe(true);
});
