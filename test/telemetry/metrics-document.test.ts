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

test('the registry serves what is defined, by that type, and nothing else', async () => {
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

const deployed = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url)), 'utf8');

test.each(['prometheus/holdfast-rules.yaml', 'prometheus/holdfast-rules-test.yaml', 'grafana/holdfast.json'])(
  'deploy/%s names metrics that there are',
  (file) => {
    const text = deployed(file);
    const used = [...text.matchAll(/\bholdfast_[a-z0-9_]+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));
    const known = definedRows().map(({ name }) => name);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  },
);

test('alerts that one event sets off also see the first event of a series, which is no increase to Prometheus', () => {
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
