import { LockRefused, LockUnknown } from "../../errors.ts";
import { parse_json } from "../json.ts";

/** What an HTTP answer other than 200 says. message: etcd's own words, undefined when it isn't etcd who speaks. */
export type Refusal = { status: number; message: string | undefined };

export function read_refusal(status: number, body: string): Refusal {
  const { code, message, error } = parse_json(body);
  const words = typeof message === "string" ? message : error;
  // A gateway that doesn't know the path says so in JSON, too, in words of its own.
  const own = typeof code === "number" && typeof words === "string" && words !== "Not Found";
  return { status, message: own ? words : undefined };
}

export const lease_is_gone = ({ message }: Refusal): boolean =>
  message?.includes("requested lease not found") ?? false;
/** The token is of an earlier time of the server, or of its users and roles: a new one mends it. */
export const token_is_stale = ({ message = "" }: Refusal): boolean =>
  /invalid auth token|revision of auth store is old|revision in header is old/.test(message);
export const user_is_wanted = ({ message = "" }: Refusal): boolean =>
  /user name is empty|user name not found/i.test(message);
export const auth_is_off = ({ message }: Refusal): boolean =>
  message?.includes("authentication is not enabled") ?? false;

/**
 * The error for it. where: the endpoint. known: this endpoint has answered as etcd before, so that other words from there
 * (a proxy's, of a restart) pass by themselves.
 */
export function error_of(refusal: Refusal, where: string, known: boolean): LockRefused | LockUnknown {
  const { status, message } = refusal;
  if (message === undefined) {
    if (status >= 500 || status === 408 || status === 429 || known)
      return unknown(where, `HTTP status ${status}`);
    return not_etcd(where, `HTTP status ${status}`);
  }
  if (/permission denied/i.test(message))
    return new LockRefused(
      `etcd at ${where} denies the permission for the lock's keys`,
      where,
      "grant the user's role readwrite on the lock's path as a prefix",
    );
  if (/invalid user ID or password/i.test(message))
    return new LockRefused(
      `etcd at ${where} refuses the user or the password`,
      where,
      "check --lock-user and the password's file",
    );
  if (user_is_wanted(refusal))
    return new LockRefused(
      `etcd at ${where} wants a user and a password`,
      where,
      "give --lock-user and --lock-password-file; a client certificate alone is not enough for its JSON gateway",
    );
  return unknown(where, message);
}

export function unknown(where: string, why: string): LockUnknown {
  return new LockUnknown(
    `etcd at ${where} gave no answer that counts: ${why}`,
    where,
    "check the address, the server and the way to it",
  );
}

export function not_etcd(where: string, how: string): LockRefused {
  return new LockRefused(
    `what answers at ${where} is not etcd's JSON gateway (${how})`,
    where,
    "check host and port, and that etcd is 3.4 or newer with --enable-grpc-gateway on",
  );
}

/** A connection that failed: for good, by its certificates, or for now. */
export function connection_error(
  { why: { code = "", message }, sent }: { why: NodeJS.ErrnoException; sent: boolean },
  { name: where, known, tls, certified }: { name: string; known: boolean; tls: boolean; certified: boolean },
): LockRefused | LockUnknown {
  if (known) return unknown(where, code || message);
  // etcd has no words for who speaks TLS or doesn't, and with TLS 1.3 a client's certificate is asked for last of all.
  if (code === "ECONNRESET" || code === "EPIPE") {
    const about_certificate = certified ? "" : "; it may want a client's certificate (--lock-cert-file)";
    const about_tls = sent ? about_certificate : "; it may not speak TLS (then write etcd://)";
    return unknown(where, code + (tls ? about_tls : "; it may want TLS (then write etcds://)"));
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "EPROTO")
    return new LockRefused(
      `${where} doesn't speak TLS`,
      where,
      "write etcd:// instead of etcds://, or check the port",
    );
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new LockRefused(
      `the certificate of ${where} is for another name`,
      where,
      "use a host name that the certificate has, or have one made for this name",
    );
  if (/SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)/.test(code))
    return new LockRefused(
      `the certificate of ${where} is not signed by an authority that is known here (${code})`,
      where,
      "give the authority's certificate with --lock-ca-file",
    );
  if (/^CERT_|^ERR_SSL_|^ERR_TLS_/.test(code))
    return new LockRefused(
      `TLS with ${where} failed (${code})`,
      where,
      "check --lock-ca-file, and --lock-cert-file with --lock-key-file if it wants a client's certificate",
    );
  if (code.startsWith("HPE_")) return not_etcd(where, "no HTTP");
  return unknown(where, code || message);
}
