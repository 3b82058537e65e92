/** Where the lock is: `etcd://h1:2379,h2:2379/path`, tls: `etcds://`. An IPv6 host has no brackets here. */
export type EtcdTarget = { endpoints: { host: string; port: number }[]; tls: boolean; path: string };

/** h1:2379 */
export function endpoint_name({ host, port }: { host: string; port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** For people; it has no credentials. */
export function url_of({ endpoints, tls, path }: EtcdTarget): string {
  return `${tls ? "etcds" : "etcd"}://${endpoints.map(endpoint_name).join(",")}${path}`;
}

/** path: the folder of all keys of this lock. */
export function keys_of(path: string): { lock: string; record: string; contenders: string } {
  return { lock: `${path}/lock`, record: `${path}/record`, contenders: `${path}/contenders/` };
}
