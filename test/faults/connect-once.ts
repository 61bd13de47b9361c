/** A separate process that connects a cluster once with a PIN and prints the outcome. */
import { Secret } from '../../src/secret.js';
import { clusterId, soon } from '../hsm/fixture.js';
import { ReplicatedCluster, type ReplicatedClusterState } from './replicated-cluster.js';

const [state = '', pin = ''] = process.argv.slice(2);
const replicas = ReplicatedCluster.attach(JSON.parse(state) as ReplicatedClusterState);
const clusters = await replicas.clusters();
const outcome = await clusters.connect(clusterId, Secret.fromUtf8(pin), 'store:1', soon());
process.stdout.write(outcome.connected ? 'CONNECTED' : outcome.errorCode);
await replicas.close();
