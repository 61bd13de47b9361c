import { BlockList, isIPv4 } from 'node:net';
import { isLoopback } from './server-address.js';

/** The variables that gRPC reads, in its order. */
const proxyVariables = ['grpc_proxy', 'https_proxy', 'http_proxy'] as const;
const exceptionVariables = ['no_grpc_proxy', 'no_proxy'] as const;

/** An environment variable that affects the way to the server. */
export interface ProxyVariable {
  /** The name as it is spelled in the environment. */
  name: string;
  /** Whether gRPC reads it. gRPC does not read names in upper case; other programs do. */
  isUsed: boolean;
}

/**
 * The proxy variable between the client and a host. Undefined if none is set, if `no_proxy` (in either case) excepts
 * the host, and for this machine itself: a loopback listener is never behind a proxy.
 */
export function proxyVariableFor(host: string, environment: NodeJS.ProcessEnv): ProxyVariable | undefined {
  if (isLoopback(host) || isException(host, environment)) return undefined;
  const used = proxyVariables.find((name) => isSet(environment[name]));
  if (used !== undefined) return { name: used, isUsed: true };
  const unused = proxyVariables.map((name) => name.toUpperCase()).find((name) => isSet(environment[name]));
  return unused === undefined ? undefined : { name: unused, isUsed: false };
}

function isException(host: string, environment: NodeJS.ProcessEnv): boolean {
  const names = exceptionVariables.flatMap((name) => [name, name.toUpperCase()]);
  const list = names.map((name) => environment[name]).find(isSet) ?? '';
  return list
    .split(',')
    .map((entry) => entry.trim())
    .some((entry) => entry !== '' && matches(host, entry));
}

/** An entry is `*`, an IPv4 range, or the end of a name. These are gRPC's rules, with `*` added. */
function matches(host: string, entry: string): boolean {
  const [network = '', prefix] = entry.split('/');
  if (prefix !== undefined) return isIPv4(host) && isIPv4(network) && isInRange(host, network, Number(prefix));
  return entry === '*' || host.toLowerCase().endsWith(entry.toLowerCase());
}

function isInRange(host: string, network: string, prefix: number): boolean {
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > 32) return false;
  const range = new BlockList();
  range.addSubnet(network, prefix);
  return range.check(host);
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
