import { ConfigError } from "../errors.ts";
import { quoted } from "./quoted.ts";

const schemes = {
  etcd: { port: 2379, tls: false },
  etcds: { port: 2379, tls: true },
  zk: { port: 2181, tls: false },
  zks: { port: 2181, tls: true },
} as const;
type Remote = keyof typeof schemes;

export type Endpoint = { host: string; port: number };

/** path: the lock's node, key or (file) volume; it begins with "/" and has no empty, "." or ".." segment. */
export type LockUrl = {
  scheme: Remote | "file" | "memory";
  /** In the order given; empty for file and memory. */
  endpoints: readonly Endpoint[];
  path: string;
};

const url_example = "zk://zk1:2181,zk2:2181/mysql or etcd://etcd1:2379/mysql";

/** Takes --lock apart. No message shows what may be a password. */
export function parse_lock_url(text: string, where: string): LockUrl {
  const shown = quoted(redact(text));
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} ${what}`, redact(text), remedy);
  };
  if (text.trim() === "") return refuse("is empty", `write e.g. ${url_example}`);
  const path_of = (path: string): string => {
    const wrong = wrong_path(path);
    return wrong === undefined ? path : refuse(`is ${shown}, whose path ${wrong[0]}`, wrong[1]);
  };

  if (text.startsWith("memory:"))
    return { scheme: "memory", endpoints: [], path: path_of(text.slice(7) || "/lock") };
  const [, scheme = "", authority = "", path = ""] = /^([A-Za-z][\w+.-]*):\/\/([^/]*)(.*)$/s.exec(text) ?? [];
  if (scheme === "") return refuse(`is ${shown}, which is no URL`, `write e.g. ${url_example}`);
  if (scheme === "file") {
    if (authority !== "") {
      return refuse(`is ${shown}, and a file URL names no host`, "write file:///mnt/volume");
    }
    return { scheme, endpoints: [], path: path_of(path) };
  }
  if (!is_remote(scheme)) {
    return refuse(
      `has the scheme ${quoted(scheme)}, which is unknown`,
      "it is one of etcd, etcds, zk, zks, file and memory",
    );
  }
  if (/@/.test(text)) {
    return refuse(
      "holds a user or password, which every process on the machine could read",
      "give --lock-user, and --lock-password-file or LEASEHOLD_LOCK_PASSWORD",
    );
  }
  if (authority === "") return refuse(`is ${shown}, without a host`, `write e.g. ${url_example}`);
  const endpoints = authority.split(",").map((part) => {
    const endpoint = parse_endpoint(part, schemes[scheme].port);
    return typeof endpoint === "string"
      ? refuse(`is ${shown}: ${endpoint}`, `write e.g. ${url_example}`)
      : endpoint;
  });
  const names = endpoints.map(format_endpoint);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return refuse(`is ${shown}, which names ${twice} twice`, "name each server once");
  return { scheme, endpoints, path: path_of(path) };
}

export function has_tls({ scheme }: LockUrl): boolean {
  return is_remote(scheme) && schemes[scheme].tls;
}

/** The URL with every port; parse_lock_url reads it. */
export function format_lock_url({ scheme, endpoints, path }: LockUrl): string {
  return scheme === "memory"
    ? `memory:${path}`
    : `${scheme}://${endpoints.map(format_endpoint).join(",")}${path}`;
}

export function format_endpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A URL, well-formed or not, without what may be a password: all before the last "@", and a query. */
function redact(text: string): string {
  return text.replace(/^([A-Za-z][\w+.-]*:\/\/)?[^]*@/, "$1***@").replace(/\?[^]*/, "?***");
}

/** "host", "host:port", "[::1]:port"; a string says what is wrong. */
export function parse_endpoint(text: string, default_port: number): Endpoint | string {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text);
  if (!parts) {
    const many = text.split(":").length > 2;
    return many ? `the IPv6 address ${quoted(text)} needs brackets` : `${quoted(text)} is no host and port`;
  }
  const [, address, name = "", port] = parts;
  if (address !== undefined && !is_ipv6(address)) return `${quoted(address)} is no IPv6 address`;
  if (address === undefined && !is_host(name))
    return name === "" ? "a host is missing" : `${quoted(name)} is no host`;
  const number = port === undefined ? default_port : Number(port);
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || number < 1 || number > 65_535)) {
    return `${quoted(port)} is no port from 1 to 65535`;
  }
  return { host: address ?? name, port: number };
}

function is_remote(scheme: string): scheme is Remote {
  return Object.hasOwn(schemes, scheme);
}

function is_ipv6(text: string): boolean {
  return URL.canParse(`http://[${text}]/`);
}

/** A DNS name or IPv4 address. URL knows that 1.2.3.400 is neither. */
function is_host(text: string): boolean {
  return (
    text.length <= 253 &&
    /^[A-Za-z0-9_]([\w.-]*[A-Za-z0-9_.])?$/.test(text) &&
    URL.canParse(`http://${text}/`)
  );
}

function wrong_path(path: string): readonly [what: string, remedy: string] | undefined {
  const name = "the path names the lock, e.g. /mysql";
  if (path === "" || path === "/") return ["is missing", name];
  if (!path.startsWith("/")) return ["has no / at its begin", name];
  if (path.length > 512) return ["is longer than 512 characters", "shorten it"];
  if (/[?#%]/.test(path)) return ["holds ?, # or %, which have no meaning here", "leave them out"];
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0020\u007f-\u009f\ufffd]/.test(path))
    return ["holds a blank or control character", "leave it out"];
  const segments = path.slice(1).split("/");
  if (segments.at(-1) === "") return ["ends with /", "leave the last / out"];
  if (segments.includes("")) return ["has an empty segment", "leave the second / out"];
  if (segments.some((segment) => segment === "." || segment === "..")) {
    return ["has a . or .. segment", "write the path in full"];
  }
  return undefined;
}
