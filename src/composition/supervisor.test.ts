import { expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { type ServiceEnvironment, Supervisor } from './supervisor.js';

const watched = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' };

function managed(environment: ServiceEnvironment) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const failures: unknown[] = [];
  const state = { broken: false };
  const manager = new Supervisor(environment, {
    clock,
    processId: 42,
    send(socketPath, message) {
      if (state.broken) throw new Error('nobody listens');
      sent.push(`${socketPath} ${message.split('\n')[0]}`);
    },
    onFailure: (cause) => failures.push(cause),
  });
  return { clock, sent, failures, manager, state };
}

test('sends ready, a watchdog message three times per watchdog period, reload and stop', () => {
  const { clock, sent, manager } = managed(watched);
  manager.ready();
  expect(sent.splice(0)).toEqual(['/run/notify READY=1', '/run/notify WATCHDOG=1']);
  for (let second = 0; second < 30; second += 1) clock.advance(1_000);
  expect(sent.splice(0)).toEqual(Array.from({ length: 3 }, () => '/run/notify WATCHDOG=1'));
  manager.reloading();
  manager.ready();
  expect(sent.splice(0)).toEqual(['/run/notify RELOADING=1', '/run/notify READY=1']);
  manager.stopping();
  clock.advance(10_000);
  expect(sent.splice(0)).toEqual(['/run/notify STOPPING=1', '/run/notify WATCHDOG=1']);
  manager.close();
  expect(clock.scheduled).toBe(0);
});

test.each<[string, ServiceEnvironment]>([
  ['the watchdog is for another process', { ...watched, WATCHDOG_PID: '43' }],
  ['there is none', { NOTIFY_SOCKET: '/run/notify' }],
  ['its time makes no sense', { ...watched, WATCHDOG_USEC: 'soon' }],
])('no watchdog is fed if %s', (_, environment) => {
  const { clock, sent, manager } = managed(environment);
  manager.ready();
  expect(sent).toEqual(['/run/notify READY=1']);
  expect(clock.scheduled).toBe(0);
});

test('without a service manager nothing is sent', () => {
  const { sent, manager } = managed({ WATCHDOG_USEC: '30000000' });
  manager.ready();
  manager.stopping();
  expect(sent).toEqual([]);
});

test('an unreachable manager is reported once, and notified again when it is reachable', () => {
  const { clock, sent, failures, manager, state } = managed(watched);
  state.broken = true;
  manager.ready();
  clock.advance(10_000);
  expect(failures).toHaveLength(1);
  state.broken = false;
  clock.advance(10_000);
  expect(sent).toEqual(['/run/notify WATCHDOG=1']);
});
