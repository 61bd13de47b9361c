import type { BenchResult } from './report.js';

/** One line of a plot. */
export interface Series {
  label: string;
  colour: string;
  dashed?: boolean;
  /** Points, by ascending x. */
  points: { x: number; y: number }[];
}

export interface Plot {
  title: string;
  yLabel: string;
  /** Powers of ten on the y axis; the x axis always has powers of two. */
  logarithmic: boolean;
  series: Series[];
}

const width = 760;
const height = 440;
const frame = { left: 76, right: 24, top: 48, bottom: 60 };
const plotWidth = width - frame.left - frame.right;
const plotHeight = height - frame.top - frame.bottom;

/** Throughput and latency over requests in flight, of the two servers under h2load. */
export function plotsOf(results: readonly BenchResult[]): { throughput: string; latency: string } {
  const echo = levelsOf(results, 'echo-h2load@');
  const encrypt = levelsOf(results, 'encrypt-h2load@');
  const line = (all: BenchResult[], y: (result: BenchResult) => number) =>
    all.map((result) => ({ x: result.inFlight, y: y(result) }));
  const [grey, blue] = ['#777777', '#1f5fa8'];
  const throughput = renderPlot({
    title: 'Throughput of one process (mutual TLS 1.3, 32 bytes)',
    yLabel: 'requests per second',
    logarithmic: false,
    series: [
      { label: 'bare grpc-js echo', colour: grey, points: line(echo, ({ rps }) => rps) },
      { label: 'Holdfast Encrypt', colour: blue, points: line(encrypt, ({ rps }) => rps) },
    ],
  });
  const latency = renderPlot({
    title: 'Latency (mutual TLS 1.3, 32 bytes)',
    yLabel: 'milliseconds',
    logarithmic: true,
    series: [
      { label: 'echo p50', colour: grey, points: line(echo, ({ latencyMs }) => latencyMs.p50) },
      { label: 'echo p99', colour: grey, dashed: true, points: line(echo, ({ latencyMs }) => latencyMs.p99) },
      { label: 'Encrypt p50', colour: blue, points: line(encrypt, ({ latencyMs }) => latencyMs.p50) },
      { label: 'Encrypt p99', colour: blue, dashed: true, points: line(encrypt, ({ latencyMs }) => latencyMs.p99) },
    ],
  });
  return { throughput, latency };
}

function levelsOf(results: readonly BenchResult[], prefix: string): BenchResult[] {
  return results
    .filter(({ name }) => name.startsWith(prefix))
    .toSorted((left, right) => left.inFlight - right.inFlight);
}

/** An SVG picture. Throws for a plot without points. */
export function renderPlot(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points);
  if (points.length === 0) throw new Error(`"${plot.title}" has no points.`);
  const xs = points.map(({ x }) => Math.log2(x));
  const x = scale(Math.min(...xs), Math.max(...xs), frame.left, frame.left + plotWidth);
  const ticks = (plot.logarithmic ? powersOfTen : roundSteps)(points.map((point) => point.y));
  const level = (value: number) => (plot.logarithmic ? Math.log10(value) : value);
  const bounds = [level(ticks[0] ?? 0), level(ticks.at(-1) ?? 1)] as const;
  const y = scale(...bounds, frame.top + plotHeight, frame.top);
  const place = (point: { x: number; y: number }) => `${x(Math.log2(point.x))},${y(level(point.y))}`;
  const loads = [...new Set(points.map((point) => point.x))].toSorted((left, right) => left - right);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      'font-family="sans-serif" font-size="13">',
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(width / 2, 26, plot.title, 'middle', 'font-size="16"'),
    ...ticks.map((value) => gridLine(y(level(value)), value)),
    ...loads.map((load) => text(x(Math.log2(load)), frame.top + plotHeight + 20, String(load), 'middle')),
    text(frame.left + plotWidth / 2, frame.top + plotHeight + 44, 'requests in flight', 'middle'),
    text(0, 0, plot.yLabel, 'middle', `transform="translate(18 ${frame.top + plotHeight / 2}) rotate(-90)"`),
    ...plot.series.map((series) => drawSeries(series, place)),
    ...plot.series.map(legendEntry),
    '</svg>',
    '',
  ].join('\n');
}

function scale(from: number, to: number, start: number, end: number): (value: number) => number {
  const span = to === from ? 1 : to - from;
  return (value) => Math.round((start + ((value - from) / span) * (end - start)) * 10) / 10;
}

function powersOfTen(values: readonly number[]): number[] {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: last - first + 1 }, (_, index) => Number(`1e${first + index}`));
}

/** 0 and multiples of 1, 2 or 5 × 10^n: four to ten of them. */
function roundSteps(values: readonly number[]): number[] {
  const largest = Math.max(...values);
  const magnitude = 10 ** Math.floor(Math.log10(largest / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => largest / size <= 8) ?? largest;
  return Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step);
}

function gridLine(y: number, value: number): string {
  const line = `<line x1="${frame.left}" x2="${frame.left + plotWidth}" y1="${y}" y2="${y}" stroke="#dddddd"/>`;
  return line + text(frame.left - 8, y + 4, value.toLocaleString('en'), 'end');
}

function drawSeries({ points, colour, dashed }: Series, place: (point: { x: number; y: number }) => string): string {
  const dashes = dashed === true ? ' stroke-dasharray="6 4"' : '';
  const places = points.map(place);
  const dots = places.map((at) => {
    const [x, y] = at.split(',');
    return `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`;
  });
  const line = `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`;
  return line + dots.join('');
}

function legendEntry({ label, colour, dashed }: Series, index: number): string {
  const [x, y] = [frame.left + 14, frame.top + 14 + index * 18];
  const dashes = dashed === true ? ' stroke-dasharray="6 4"' : '';
  const sample = `<line x1="${x}" x2="${x + 26}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"${dashes}/>`;
  return sample + text(x + 32, y + 4, label, 'start');
}

function text(x: number, y: number, content: string, anchor: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" ${attributes}>${content.replaceAll('&', '&amp;')}</text>`;
}
