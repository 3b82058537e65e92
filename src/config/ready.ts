// The text of --ready: how the app is asked whether it is ready.

import { ConfigError } from "../errors.ts";
import { type Endpoint, format_endpoint, parse_endpoint } from "./lock-url.ts";
import { nearest } from "./nearest.ts";
import { quoted } from "./quoted.ts";

/** Ports as each server has them by default; 0: there is none. */
const schemes = {
  tcp: 0,
  http: 80,
  https: 443,
  postgres: 5432,
  mysql: 3306,
  redis: 6379,
  mongodb: 27017,
} as const;
type Scheme = keyof typeof schemes;

export type ReadyCheck =
  | { how: "tcp" | "mysql" | "redis" | "mongodb"; endpoint: Endpoint }
  /** Any answer that says that the server serves; path: with its query. */
  | { how: "http" | "https"; endpoint: Endpoint; path: string }
  /** user: whom the server is asked for; nobody logs in. */
  | { how: "postgres"; endpoint: Endpoint; user: string }
  /** sh -c, as a job beside the app; ready when it ends with 0. */
  | { how: "exec"; command: string };

const example = "e.g. tcp://127.0.0.1:9000, http://127.0.0.1:8080/health or exec:COMMAND";

/** null: none, which beats a profile's. */
export function parse_ready(text: string, where: string): ReadyCheck | null {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${where} is ${quoted(text)}, ${what}`, text, remedy);
  };
  if (text === "none") return null;
  if (text.startsWith("exec:")) {
    const command = text.slice(5).trim();
    return command === "" ? refuse("without a command", "write exec:COMMAND") : { how: "exec", command };
  }
  const [, scheme = "", authority = "", path = ""] = /^([a-z]+):\/\/([^/?]*)(.*)$/s.exec(text) ?? [];
  if (scheme === "") return refuse("which is no check", `write none, or ${example}`);
  if (!is_scheme(scheme)) {
    const near = nearest(scheme, [...Object.keys(schemes), "exec"]);
    const known = `it is one of ${Object.keys(schemes).join(", ")} and exec`;
    return refuse(
      `whose scheme ${quoted(scheme)} is unknown`,
      near === undefined ? known : `did you mean ${near}?`,
    );
  }
  const at = authority.lastIndexOf("@");
  const user = authority.slice(0, Math.max(0, at));
  const endpoint = parse_endpoint(authority.slice(at + 1), schemes[scheme]);
  if (typeof endpoint === "string") return refuse(`where ${endpoint}`, `write ${example}`);
  if (endpoint.port === 0) return refuse("without a port", `write ${example}`);
  if (at >= 0 && (scheme !== "postgres" || !/^\w[\w.-]{0,62}$/.test(user)))
    return refuse(
      "which names a user",
      "leave it out: nobody logs in; only postgres://USER@… takes one, without a password",
    );
  switch (scheme) {
    case "http":
    case "https":
      if (!/^(?:\/[\x21-\x7e]*)?$/.test(path))
        return refuse("whose path is none", "begin it with /, and write blanks as %20");
      return { how: scheme, endpoint, path: path === "" ? "/" : path };
    case "postgres":
    case "tcp":
    case "mysql":
    case "redis":
    case "mongodb":
      if (path !== "" && path !== "/") return refuse("with a path", "leave all after the port out");
      return scheme === "postgres"
        ? { how: scheme, endpoint, user: user === "" ? "postgres" : user }
        : { how: scheme, endpoint };
  }
}

/** parse_ready reads it. */
export function format_ready(check: ReadyCheck | null): string {
  if (check === null) return "none";
  switch (check.how) {
    case "exec":
      return `exec:${check.command}`;
    case "http":
    case "https":
      return `${check.how}://${format_endpoint(check.endpoint)}${check.path}`;
    case "postgres":
      return `postgres://${check.user === "postgres" ? "" : `${check.user}@`}${format_endpoint(check.endpoint)}`;
    default:
      return `${check.how}://${format_endpoint(check.endpoint)}`;
  }
}

function is_scheme(scheme: string): scheme is Scheme {
  return Object.hasOwn(schemes, scheme);
}
