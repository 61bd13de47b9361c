import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { usageError } from './exit-codes.js';

/** The port of the first listener that `holdfast config print-example` shows. */
export const defaultPort = 7_443;

/** The TCP address of a server. */
export interface ServerAddress {
  /** A name, or an IP address without brackets. */
  host: string;
  port: number;
}

const loopbackAddresses = new BlockList();
loopbackAddresses.addSubnet('127.0.0.0', 8);
loopbackAddresses.addAddress('::1', 'ipv6');
// "Any address" connects to this machine.
loopbackAddresses.addAddress('0.0.0.0');
loopbackAddresses.addAddress('::', 'ipv6');

/**
 * Reads `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address.
 * @throws CliError for anything else
 */
export function parseServerAddress(text: string): ServerAddress {
  if (isIPv6(text)) return { host: text, port: defaultPort };
  const match = /^(?:\[(?<ipv6>[^\]]*)\]|(?<host>[^:[\]/\s]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const { ipv6, host = ipv6, port } = match?.groups ?? {};
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535 || (ipv6 !== undefined && !isIPv6(ipv6))) {
    throw usageError(
      `${text} is not a server address`,
      `--server takes host, host:port, [IPv6]:port or unix:path; without a port it is ${defaultPort}`,
    );
  }
  return { host, port: number };
}

/** The address in gRPC's notation. */
export function grpcTarget({ host, port }: ServerAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether the host is this machine, from its name or address alone, without DNS. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return loopbackAddresses.check(host);
  if (isIPv6(host)) return loopbackAddresses.check(host.split('%')[0] ?? host, 'ipv6');
  return /(^|\.)localhost\.?$/i.test(host);
}
