/**
 * A server that notes the commits of its catalog, and is killed before or after one of them. Its arguments: the folder
 * of the compiled program, and the configuration.
 */
const [folder, configurationPath] = process.argv.slice(2);
const load = (name) => import(`${folder}/${name}.js`);
const { compose } = await load('compose');
const { loadConfiguration } = await load('config/load');
const { resolveSecrets } = await load('config/secrets');
const { SqliteCatalogDatabase } = await load('storage/sqlite-database');
const { createLogger } = await load('telemetry/logger');

/** The commits since the last message, in their order: the module whose they are, and which one of it, from 1. */
let commits = [];
let armed;

const write = SqliteCatalogDatabase.prototype.write;
SqliteCatalogDatabase.prototype.write = async function noted(work) {
  const [, name = 'unknown'] = /storage\/(?!sqlite-database)([\w-]+)\.js/.exec(new Error('for its stack').stack) ?? [];
  const commit = { name, ordinal: commits.filter((other) => other.name === name).length + 1 };
  commits.push(commit);
  const dies = (place) => {
    if (armed?.functionName !== name || armed.ordinal !== commit.ordinal || armed.place !== place) return;
    process.kill(process.pid, 'SIGKILL');
  };
  dies('before');
  const result = await write.call(this, work);
  dies('after');
  return result;
};

const configuration = await loadConfiguration(configurationPath);
const logger = createLogger('silent', { write: () => undefined });
const server = await compose(configuration, await resolveSecrets(configuration), logger, {});
process.on('message', (message) => {
  const noted = commits;
  commits = [];
  armed = message.armed;
  process.send({ commits: noted });
});
process.send({ port: server.bound.find(({ kind }) => kind === 'tls').port });
