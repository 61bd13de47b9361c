import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHoldfastError } from '../../src/errors.js';
import { MemberBreaker } from '../../src/hsm/breaker.js';
import type { StoredKeyState } from '../../src/keys/key.js';
import { connectionEvents, connectionStates, storeCommands, transition } from '../../src/keystores/connection-state.js';
import { cancelKeyDeletion } from '../../src/operations/keys/cancel-key-deletion.js';
import { disableKey } from '../../src/operations/keys/disable-key.js';
import { enableKey } from '../../src/operations/keys/enable-key.js';
import { scheduleKeyDeletion } from '../../src/operations/keys/schedule-key-deletion.js';
import { type KeyDomain, openKeyDomain } from '../key-domain.js';
import { ManualClock } from '../manual-clock.js';
import { drawingsOf, type Edge } from './mermaid.js';
import { waitFor } from '../wait-for.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
const states = drawingsOf(join(root, 'docs/states.md')).filter(({ kind }) => kind === 'stateDiagram-v2');

/** The arrows of the state drawing in which `state` occurs, as text. */
function drawn(state: string, withLabels: boolean): string[] {
  const found = states.find(({ edges }) => edges.some(({ from }) => from === state));
  return arrows(found?.edges ?? [], withLabels);
}

/** The arrows of a `TransitionTable`, whose rows read `/* state *\/ {kNext, kRefused, …},`. */
function nativeTransitions(path: string, first: string, last?: string): string[] {
  const rows = readFileSync(join(root, path), 'utf8').matchAll(/^ *\/\* (\w+) +\*\/ \{([\w, ]+)\},$/gm);
  const changes = [...rows].flatMap(([, from = '', cells = '']) =>
    cells
      .split(', ')
      .map((cell) => cell.trim().slice(1).toLowerCase())
      .filter((to) => to !== 'refused' && to !== from)
      .map((to) => `${from} --> ${to === last ? '[*]' : to}`),
  );
  return [...new Set([`[*] --> ${first}`, ...changes])].sort();
}

/** The answer of a key that does not allow a change. */
const refusals = ['KMS_INVALID_STATE', 'NOT_FOUND'];

const arrows = (edges: readonly Edge[], withLabels: boolean): string[] =>
  edges.map(({ from, to, label }) => (withLabels ? `${from} --> ${to}: ${label}` : `${from} --> ${to}`)).sort();

let domain: KeyDomain;
beforeEach(async () => void (domain = await openKeyDomain()));
afterEach(() => domain.close());

test('every drawing of every page is understood', () => {
  const drawings = pages.flatMap((page) => drawingsOf(join(root, page)));
  const blocks = pages.flatMap((page) => [...readFileSync(join(root, page), 'utf8').matchAll(/^ *```mermaid/gm)]);
  expect(drawings.length).toBe(blocks.length);
  expect(drawings.length).toBeGreaterThan(5);
  expect(drawings.filter(({ edges }) => edges.length === 0)).toEqual([]);
});

test('a custom key store changes as it is drawn', () => {
  const changes = connectionStates.flatMap((from) =>
    [...storeCommands, ...connectionEvents]
      .map((label) => ({ from, to: transition(from, label), label }))
      .filter(({ to }) => to !== from && to !== 'refused')
      .map(({ to, label }) => ({ from, to: to === 'gone' ? '[*]' : to, label })),
  );
  const begin = { from: '[*]', to: 'DISCONNECTED', label: 'CreateCustomKeyStore' };
  expect(drawn('DISCONNECTED', true)).toEqual(arrows([begin, ...changes], true));
});

test('a key changes as it is drawn', async () => {
  const { core, catalog, clock } = domain;
  const days = 8 * 86_400_000;
  const steps: Record<string, (keyId: Awaited<ReturnType<KeyDomain['newKey']>>) => Promise<unknown>> = {
    EnableKey: (key) => enableKey(core, { key }),
    DisableKey: (key) => disableKey(core, { key }),
    ScheduleKeyDeletion: (key) => scheduleKeyDeletion(core, { key, request: { pendingWindowInDays: 7 } }),
    CancelKeyDeletion: (key) => cancelKeyDeletion(core, { key }),
    'its date has come': (key) => catalog.beginDeletion(key, key.keyId, new Date(clock.now().getTime() + days)),
    'the material is destroyed': (key) => catalog.completeDeletion(key, key.keyId, clock.now()),
  };
  /** The shortest way to each state. */
  const ways: Record<StoredKeyState, string[]> = {
    Enabled: [],
    Disabled: ['DisableKey'],
    PendingDeletion: ['ScheduleKeyDeletion'],
    Deleting: ['ScheduleKeyDeletion', 'its date has come'],
    Deleted: ['ScheduleKeyDeletion', 'its date has come', 'the material is destroyed'],
  };
  const changes: Edge[] = [{ from: '[*]', to: (await domain.newKey()).state, label: 'CreateKey' }];
  for (const [from, way] of Object.entries(ways)) {
    for (const [label, step] of Object.entries(steps)) {
      const key = await domain.newKey();
      for (const name of way) await steps[name]?.(await domain.reread(key));
      const before = await domain.reread(key);
      expect(before.state).toBe(from);
      await step(before).catch((error: unknown) => expect(refusals).toContain(toHoldfastError(error).code));
      const { state: to } = await domain.reread(key);
      if (to !== from) changes.push({ from, to, label });
    }
  }
  expect(drawn('PendingDeletion', true)).toEqual(arrows(changes, true));
});

test('an intent changes as it is drawn', async () => {
  const { catalog, clock } = domain;
  const key = await domain.newKey();
  const material = await catalog.findMaterial(key.currentMaterialId);
  if (material === undefined) throw new Error('The key has no material.');
  const steps = [
    (id: string) => catalog.abandonIntent(id, clock.now()),
    (id: string) => catalog.markIntentDestroyed(id),
    (id: string) =>
      catalog.commitKey({ ...key, keyId: id, currentMaterialId: id }, { ...material, keyId: id, materialId: id }),
  ];
  const ways = { open: [], abandoned: [0], destroyed: [0, 1] };
  const found = new Set(['[*] --> open']);
  for (const [from, way] of Object.entries(ways)) {
    for (const step of steps) {
      const materialId = domain.core.identifiers.materialId();
      const { account, region, clusterId } = key;
      await catalog.openIntent({
        account,
        region,
        clusterId,
        materialId,
        keyId: materialId,
        state: 'open',
        openedDate: clock.now(),
        abandonedDate: null,
      });
      for (const index of way) await steps[index]?.(materialId);
      expect((await catalog.findIntent(materialId))?.state).toBe(from);
      await step(materialId);
      const to = (await catalog.findIntent(materialId))?.state ?? '[*]';
      if (to !== from) found.add(`${from} --> ${to}`);
    }
  }
  expect(drawn('abandoned', false)).toEqual([...found].sort());
});

test('a breaker changes as it is drawn', async () => {
  const clock = new ManualClock();
  const found = new Set<string>();
  let healthy = false;
  let last = '[*]';
  const look = (): void => {
    if (breaker.state !== last) found.add(`${last} --> ${breaker.state}`);
    last = breaker.state;
  };
  const settings = {
    consecutiveFailures: 1,
    failurePercentage: 50,
    minimumOutcomes: 20,
    windowMs: 10_000,
    probeDelayMs: 1_000,
  };
  const breaker: MemberBreaker = new MemberBreaker(settings, clock, 1, {
    onOpen: () => undefined,
    onClose: () => undefined,
    onProbeFailed: () => undefined,
    probeDelayMs: () => settings.probeDelayMs,
    probe: () => {
      look();
      return healthy ? Promise.resolve() : Promise.reject(new Error('ill'));
    },
  });
  look();
  breaker.record(1, { ok: false, opensAtOnce: false, cause: 'CKR_DEVICE_ERROR' });
  look();
  for (healthy of [false, true]) {
    clock.advance(settings.probeDelayMs);
    await waitFor(() => expect(breaker.state).not.toBe('half-open'));
    look();
  }
  breaker.stop();
  expect(drawn('half-open', false)).toEqual([...found].sort());
});

test('a lane changes as it is drawn', () => {
  expect(drawn('quarantined', false)).toEqual(nativeTransitions('native/src/lane_state.cc', 'opening', 'ended'));
});

test('a member in the session pool changes as it is drawn', () => {
  expect(drawn('suspected', false)).toEqual(nativeTransitions('native/src/member_state.cc', 'suspended'));
});
