import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type SignalActions, ServerSignals } from './server-signals.js';
import { waitFor } from '../test/wait-for.js';

function recorded(): { actions: SignalActions; done: string[] } {
  const done: string[] = [];
  const actions: SignalActions = {
    reload: () => done.push('reload'),
    stopAtOnce: () => done.push('stop at once'),
    ignored: (signal) => done.push(`ignored ${signal}`),
  };
  return { actions, done };
}

describe('the signals of a server', () => {
  test('are remembered until the actions are set: one reload for all SIGHUPs', () => {
    const source = new EventEmitter();
    const signals = new ServerSignals(source);
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGHUP', 'SIGUSR2']) source.emit(signal);
    const { actions, done } = recorded();
    signals.act(actions);
    expect(done).toEqual(['ignored SIGUSR1', 'ignored SIGUSR2', 'reload']);
    source.emit('SIGHUP');
    source.emit('SIGUSR2');
    expect(done.slice(3)).toEqual(['reload', 'ignored SIGUSR2']);
  });

  test('a stop is requested once; a signal right after it counts as the same one, a later one does not', async () => {
    const source = new EventEmitter();
    const signals = new ServerSignals(source);
    const { actions, done } = recorded();
    signals.act(actions);
    source.emit('SIGINT');
    source.emit('SIGTERM');
    expect(await signals.stopRequested).toBe('SIGINT');
    expect(done).toEqual([]);
    await waitFor(() => {
      source.emit('SIGTERM');
      expect(done).toContain('stop at once');
    });
  });
});

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/**
 * The signals arrive while its modules are still loading. Before any JavaScript runs, Node has its own behaviour, which
 * cannot be changed.
 */
describe.skipIf(!existsSync(program))('a server that has just been started', () => {
  test('survives SIGHUP, SIGUSR1 and SIGUSR2, and opens no inspector', async () => {
    // A preloaded module loads the program; it waits for the listeners and sends at once.
    const preload = `data:text/javascript,${encodeURIComponent(`
      const on = process.on;
      process.on = function (signal, listener) {
        const result = on.call(process, signal, listener);
        if (signal === 'SIGUSR2') for (const each of ['SIGHUP', 'SIGUSR1', 'SIGUSR2']) process.kill(process.pid, each);
        return result;
      };`)}`;
    const child = spawn(process.execPath, ['--import', preload, program, 'serve', '--config', '/nowhere.yaml'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code, signal] = (await once(child, 'close')) as unknown[];
    expect({ code, signal }).toEqual({ code: 4, signal: null });
    expect(stderr).toContain('CANNOT_START');
    expect(stderr).not.toContain('Debugger');
  });

  test('refuses to be a server with an inspector', async () => {
    const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', program, 'serve', '--config', '/nowhere.yaml'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    expect((await once(child, 'close'))[0]).toBe(4);
    expect(stderr).toContain('inspector is open');
  });
});
