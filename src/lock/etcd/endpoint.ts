import http from "node:http";
import type https from "node:https";
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { LockRefused } from "../../errors.ts";
import type { Credentials } from "../lock.ts";
import { endpoint_name } from "./target.ts";

export type Reply = { status: number; body: string };
export type Request = { path: string; body: string; token: string | undefined };
export type Limits = { end_ms: number; connect_ms: number };

/** sent: whether etcd may have got the request. */
export class ConnectionError extends Error {
  readonly sent: boolean;
  readonly why: NodeJS.ErrnoException;
  constructor(why: NodeJS.ErrnoException, sent: boolean) {
    super(why.message);
    this.why = why;
    this.sent = sent;
  }
}

/** More than any answer about one lock can be. */
const most_bytes = 4 * 1024 * 1024;

/** One server, over HTTP/1.1 with connections that are kept: two for requests, and one for each watch. */
export class Endpoint {
  readonly name: string;
  /** It has answered as etcd. */
  known = false;
  readonly tls: boolean;
  /** We have a certificate to show. */
  readonly certified: boolean;
  readonly #module: typeof http | typeof https;
  readonly #agent: http.Agent;
  readonly #options: http.RequestOptions;
  readonly #streams = new Set<http.ClientRequest>();

  constructor(address: { host: string; port: number }, secure: SecureContext | null, certified: boolean) {
    this.name = endpoint_name(address);
    this.tls = secure !== null;
    this.certified = certified;
    // TLS is loaded only where it is used: it takes a fifth of the whole start.
    this.#module = secure === null ? http : process.getBuiltinModule("node:https");
    const tls = secure === null ? {} : { secureContext: secure };
    this.#agent = new this.#module.Agent({ keepAlive: true, maxSockets: 2, scheduling: "lifo", ...tls });
    this.#options = { host: address.host, port: address.port, method: "POST", ...tls };
  }

  /** The whole answer. Rejects with a ConnectionError. end_ms: an instant of performance.now(). */
  post(request: Request, { end_ms, connect_ms }: Limits): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let sent = false;
      const sending = this.#send(request, this.#agent);
      const late = (what: string) => (): void => void sending.destroy(new Error(what));
      const timer = setTimeout(late("no answer in time"), Math.max(0, end_ms - performance.now()));
      let connecting: NodeJS.Timeout | undefined;
      const failed = (error: Error): void => {
        clearTimeout(timer);
        clearTimeout(connecting);
        reject(new ConnectionError(error, sent));
      };
      sending.on("socket", (socket: Socket) => {
        if (!socket.connecting) {
          sent = true;
          return;
        }
        connecting = setTimeout(late("no connection in time"), connect_ms);
        socket.once("connect", () => clearTimeout(connecting));
        socket.once(this.tls ? "secureConnect" : "connect", () => (sent = true));
      });
      sending.on("error", failed);
      sending.on("close", () => failed(new Error("the connection ended")));
      sending.on("response", (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          if ((size += chunk.length) > most_bytes) sending.destroy(new Error("an answer without an end"));
        });
        response.on("error", failed);
        response.on("end", () => {
          clearTimeout(timer);
          clearTimeout(connecting);
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      });
    });
  }

  /** Lines as they come, until it ends, breaks, or is aborted. Rejects with a ConnectionError if it had no beginning. */
  stream(request: Request, on_line: (line: string) => void, abort: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const sending = this.#send(request, false);
      const end = (): void => void sending.destroy();
      abort.addEventListener("abort", end, { once: true });
      if (abort.aborted) end();
      this.#streams.add(sending);
      let status = 0;
      sending.on("error", (error) => {
        if (status === 0 && !abort.aborted) reject(new ConnectionError(error, true));
      });
      sending.on("close", () => {
        abort.removeEventListener("abort", end);
        this.#streams.delete(sending);
        resolve(status);
      });
      sending.on("socket", (socket: Socket) => socket.setKeepAlive(true, 1000));
      sending.on("response", (response) => {
        status = response.statusCode ?? 0;
        let rest = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          const lines = (rest + text).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) if (line !== "" && !abort.aborted) on_line(line);
          if (rest.length > most_bytes) end();
        });
        response.on("error", () => {});
      });
    });
  }

  /** Something else here was late or broken: a watch would hear nothing. */
  break_streams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  close(): void {
    this.break_streams();
    this.#agent.destroy();
  }

  #send({ path, body, token }: Request, agent: http.Agent | false): http.ClientRequest {
    const headers: http.OutgoingHttpHeaders = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...(token !== undefined && { authorization: token }),
    };
    return this.#module.request({ ...this.#options, agent, path, headers }).end(body);
  }
}

/** Throws LockRefused when they can't be read. */
export function secure_context({ ca, cert, key }: Credentials): SecureContext {
  try {
    const given = { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }) };
    const { createSecureContext } = process.getBuiltinModule("node:tls");
    return createSecureContext({ ...given, ...(key !== undefined && { key }) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no PEM";
    throw new LockRefused(
      `the certificates for the lock service can't be used (${code})`,
      code,
      "check that --lock-ca-file, --lock-cert-file and --lock-key-file are PEM and belong together",
    );
  }
}
