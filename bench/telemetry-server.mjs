/**
 * One process with several servers in it, each composed as `serve` composes one, from a configuration of its own:
 * `telemetry-server.mjs <path of a configuration>…`. All run the same compiled code in the same heap. A difference in
 * cost thus comes from the configuration, not from V8's compilation in another process. It runs the output of `npm run
 * build`: the hooks for TypeScript would bring a compiler into that heap.
 *
 * It reports `{ ports }` to its parent, in order, and then answers every message with the time that its threads have
 * used so far, in microseconds, user and system: `{ cpuMicros, exportMicros }`. After the message `export` no spans
 * wait. Ends when its parent does.
 */
import { compose } from '../dist/compose.js';
import { loadConfiguration } from '../dist/config/load.js';
import { resolveSecrets } from '../dist/config/secrets.js';
import { createLogger } from '../dist/telemetry/logger.js';
import { SpanOutlet } from '../dist/telemetry/span-outlet.js';

/** A busy server exports whenever it has this many spans, which is the default of OpenTelemetry's batches. */
const spansOfExport = 512;

/** Spans that have ended and are not exported. */
const held = [];
let exportMicros = 0;

// Otherwise the server would export up to two seconds later, during the next measurement.
const { onEnd } = SpanOutlet.prototype;
SpanOutlet.prototype.onEnd = function (span) {
  held.push({ outlet: this, span });
};

/** Exports in batches, as a server does whose spans come one after the other: it drops spans beyond its bound. */
async function exportHeld() {
  const before = cpuMicros();
  while (held.length > 0) {
    const outlets = new Set();
    for (const { outlet, span } of held.splice(0, spansOfExport)) {
      onEnd.call(outlet, span);
      outlets.add(outlet);
    }
    for (const outlet of outlets) await outlet.forceFlush();
  }
  exportMicros += cpuMicros() - before;
}

function cpuMicros() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function startServer(path) {
  const configuration = await loadConfiguration(path);
  const logger = createLogger(configuration.telemetry.logLevel);
  const { bound } = await compose(configuration, await resolveSecrets(configuration), logger);
  return bound.find(({ kind }) => kind === 'tls').port;
}

process.on('message', async (what) => {
  const used = cpuMicros();
  if (what === 'export' || held.length >= spansOfExport) await exportHeld();
  process.send({ cpuMicros: used, exportMicros });
});
process.on('disconnect', () => process.exit(0));

const ports = [];
for (const path of process.argv.slice(2)) ports.push(await startServer(path));
process.send({ ports });
