import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  counterDefinitions,
  gaugeDefinitions,
  histogramDefinitions,
  type MetricDefinition,
} from '../../src/telemetry/metric-definitions.js';
import { counterSeeds } from '../../src/telemetry/counter-seeds.js';
import { Metrics } from '../../src/telemetry/metrics.js';

/** docs/telemetry.md and the registry: a row for every metric, and a metric for every row. */

interface Row {
  name: string;
  type: string;
  labels: string[];
}

const document = readFileSync(fileURLToPath(new URL('../../docs/telemetry.md', import.meta.url)), 'utf8');

function documentedRows(): Row[] {
  return document.split('\n').flatMap((line) => {
    const [, name, type, labels] = line.split('|').map((cell) => cell.trim());
    if (name?.startsWith('`holdfast_') !== true || type === undefined || labels === undefined) return [];
    return [{ name: name.replaceAll('`', ''), type, labels: labels.replaceAll('`', '').split(', ').filter(Boolean) }];
  });
}

function definedRows(): Row[] {
  const rows = (type: string, definitions: Record<string, MetricDefinition>): Row[] =>
    Object.values(definitions).map(({ name, labels }) => ({ name, type, labels: [...labels] }));
  return [
    ...rows('counter', counterDefinitions),
    ...rows('gauge', gaugeDefinitions),
    ...rows('histogram', histogramDefinitions),
  ];
}

const byName = (one: Row, other: Row): number => one.name.localeCompare(other.name);

test('every metric has a row with its type and labels, and every row a metric', () => {
  expect(documentedRows().sort(byName)).toEqual(definedRows().sort(byName));
});

test('the registry serves exactly the defined metrics, with their types', async () => {
  const text = await new Metrics([]).scrape();
  const served = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  expect(served.sort()).toEqual(
    definedRows()
      .map(({ name, type }) => `${name} ${type}`)
      .sort(),
  );
});

test('names have the prefix, counters end in _total, and nothing else does', () => {
  for (const { name, type } of definedRows()) {
    expect(name).toMatch(/^holdfast_[a-z0-9_]+$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
  }
});

/** The base units that we use, and the other allowed endings of a name: a counted thing or a state. */
const otherUnits =
  /_(milliseconds|millis|ms|us|ns|micros|minutes|hours|days|kilobytes|megabytes|mebibytes|kb|mb|gb|bits|percent)(_|$)/;

/** The rules of `promtool check metrics` (promlint of prometheus/client_golang), for machines without it. */
test.each(definedRows())('$name keeps the rules of promtool check metrics', ({ name, type, labels }) => {
  expect(name).not.toMatch(otherUnits);
  expect(name).not.toMatch(/_(gauge|counter|histogram|summary)(_|$)/);
  if (type !== 'histogram') expect(name).not.toMatch(/_(bucket|count|sum)$/);
  // Histograms have `le` of their own, and only summaries have quantiles.
  for (const label of labels) expect(label).toMatch(/^(?!le$|quantile$)[a-z][a-z_]*$/);
});

test('the served text is in Prometheus’s format: each name has one HELP and one TYPE before its samples', async () => {
  const names = [{ id: 'c', name: 'main', members: [{ name: 'a' }] }];
  const lines = (await new Metrics(names).scrape()).split('\n').filter((line) => line !== '');
  let current = '';
  const seen: string[] = [];
  for (const line of lines) {
    const [, keyword, name = '', text = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      expect(seen).not.toContain(name);
      expect(text).toMatch(/\S\.$/);
      seen.push(name);
    } else if (keyword === 'TYPE') [current] = [name];
    else expect(line).toMatch(new RegExp(`^${current}(_bucket|_count|_sum)?(\\{[^{}]*\\})? [-+0-9.eE]+$`));
  }
  expect(seen).toHaveLength(definedRows().length);
});

const ruleTests = ['prometheus/holdfast-rules-test.yaml', 'prometheus/holdfast-certificates-test.yaml'];
type RuleTests = { tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[] };

test.skipIf(spawnSync('promtool', ['--version']).status !== 0)('promtool agrees', async () => {
  const input = await new Metrics([{ id: 'c', name: 'main', members: [{ name: 'a' }] }]).scrape();
  expect(spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })).toMatchObject({ status: 0 });
  const rules = ['check', 'rules', '--lint=all', '--lint-fatal', deployedPath('prometheus/holdfast-rules.yaml')];
  for (const words of [rules, ['test', 'rules', ...ruleTests.map(deployedPath)]]) {
    const { status, stdout, stderr } = spawnSync('promtool', words, { encoding: 'utf8' });
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  }
});

test('every alert has a test that triggers it', () => {
  const { groups } = parse(deployed('prometheus/holdfast-rules.yaml')) as { groups: { rules: { alert: string }[] }[] };
  const setOff = ruleTests
    .flatMap((file) => (parse(deployed(file)) as RuleTests).tests)
    .flatMap(({ alert_rule_test }) => alert_rule_test)
    .filter(({ exp_alerts }) => exp_alerts.length > 0)
    .map(({ alertname }) => alertname);
  const alerts = groups.flatMap(({ rules }) => rules).map(({ alert }) => alert);
  expect(alerts.filter((alert) => !setOff.includes(alert))).toEqual([]);
});

test('counters of alerts, and others, are 0 from the start; the rest state why they cannot', async () => {
  const clusters = [{ id: 'c', name: 'main', members: [{ name: 'a' }] }];
  const text = await new Metrics(clusters).scrape();
  const alerts = deployed('prometheus/holdfast-rules.yaml');
  for (const [key, seeds] of Object.entries(counterSeeds)) {
    const { name, labels } = counterDefinitions[key as keyof typeof counterDefinitions];
    if (typeof seeds === 'string') {
      expect(alerts).not.toContain(name);
      expect(seeds.length).toBeGreaterThan(10);
      continue;
    }
    const samples = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    expect([name, samples.length]).toEqual([name, labels.length === 0 ? 1 : seeds(clusters).length]);
    expect(samples.filter((line) => !line.endsWith(' 0'))).toEqual([]);
  }
});

const deployedPath = (file: string): string => fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));
const deployed = (file: string): string => readFileSync(deployedPath(file), 'utf8');

test.each(['prometheus/holdfast-rules.yaml', ...ruleTests, 'grafana/holdfast.json'])(
  'deploy/%s names existing metrics',
  (file) => {
    const text = deployed(file);
    const used = [...text.matchAll(/\bholdfast_[a-z0-9_]+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));
    const known = definedRows().map(({ name }) => name);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  },
);

test('the dashboard shows what the alerts on backups and witnesses are made of', () => {
  const panels = deployed('grafana/holdfast.json');
  const names = definedRows().map(({ name }) => name);
  const alerted = [...deployed('prometheus/holdfast-rules.yaml').matchAll(/\bholdfast_(backup|witness)_[a-z_]+/g)];
  expect(alerted.length).toBeGreaterThan(4);
  for (const [name] of alerted) expect([names.includes(name), panels.includes(name)], name).toEqual([true, true]);
});

test('alerts on one event also match the first event of a series, which is no increase to Prometheus', () => {
  const { groups } = parse(deployed('prometheus/holdfast-rules.yaml')) as { groups: { rules: { expr: string }[] }[] };
  const counted = groups
    .flatMap(({ rules }) => rules)
    .flatMap(({ expr }) => [...expr.matchAll(/\bincrease\((.+?)\[/g)].map(([, series = '']) => ({ expr, series })));
  expect(counted.length).toBeGreaterThan(0);
  const labelled = counted.filter(({ series }) =>
    definedRows().some(({ name, labels }) => labels.length > 0 && series.startsWith(name)),
  );
  expect(labelled.filter(({ expr, series }) => !expr.includes(`(${series} > 0 unless ${series} offset`))).toEqual([]);
});
