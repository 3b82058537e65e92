import { connect, isIP, type Socket } from "node:net";
import { LockRefused, LockUnknown, type Failure } from "../../errors.ts";
import type { Credentials } from "../lock.ts";

export type Server = { host: string; port: number };

export function name_of({ host, port }: Server): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A socket to one server, connected and, with TLS, verified. Whatever becomes of it afterwards is the caller's to hear. */
export function dial(
  server: Server,
  tls: boolean,
  credentials: Credentials,
  abort: AbortSignal,
): Promise<Socket> {
  const { host, port } = server;
  const { ca, cert, key } = credentials;
  const socket = tls
    ? // Loaded only where it is used: it takes a fifth of the whole start.
      process.getBuiltinModule("node:tls").connect({
        host,
        port,
        // A name is sent and compared; of an address only the certificate's addresses count.
        ...(isIP(host) === 0 && { servername: host }),
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
      })
    : connect({ host, port });
  socket.setNoDelay();
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      abort.removeEventListener("abort", late);
      socket.destroy();
      reject(failure_of(error, server));
    };
    const late = (): void => fail(new Error("no answer in time"));
    abort.addEventListener("abort", late);
    socket.once("error", fail);
    socket.once("close", () => fail(new Error("it closed the connection")));
    socket.once(tls ? "secureConnect" : "connect", () => {
      abort.removeEventListener("abort", late);
      socket.removeAllListeners("error").removeAllListeners("close");
      resolve(socket);
    });
  });
}

/** What no retry can mend: the two sides don't trust each other, or one of them speaks no TLS. */
export function failure_of(error: Error, server: Server): Failure {
  const code = "code" in error ? String(error.code) : "";
  const name = name_of(server);
  const what = error.message === "" ? code : error.message;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) {
    return new LockRefused(`${name} does not speak TLS`, name, "use zk:// for it, or its TLS port");
  }
  if (/^ERR_SSL_|^ERR_TLS_|CERT|UNABLE_TO_|ERR_OSSL/.test(code)) {
    return new LockRefused(
      `TLS with ${name} failed: ${what}`,
      name,
      "check the CA, the certificate and the host name",
    );
  }
  return new LockUnknown(
    `no connection to ZooKeeper at ${name}: ${what}`,
    name,
    "check the address and the server",
  );
}
