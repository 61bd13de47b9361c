/**
 * A server whose round of deletions, or of witnesses, runs when its parent says so: that of `holdfast serve` comes by the clock.
 * Its arguments: the folder of the compiled program, and the configuration.
 */
import { once } from 'node:events';

const [folder, configurationPath] = process.argv.slice(2);
const load = (name) => import(`${folder}/${name}.js`);
const { compose } = await load('compose');
const { loadConfiguration } = await load('config/load');
const { resolveSecrets } = await load('config/secrets');
const { createLogger } = await load('telemetry/logger');

const configuration = await loadConfiguration(configurationPath);
const logger = createLogger('silent', { write: () => undefined });
const server = await compose(configuration, await resolveSecrets(configuration), logger, {});
process.send(server.bound.find(({ kind }) => kind === 'tls').port);
const [job] = await once(process, 'message');
await server[job].runNow();
process.send('done');
