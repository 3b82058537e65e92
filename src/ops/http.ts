import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { errno } from "../config/errno.ts";
import { ConfigError } from "../errors.ts";
import { metrics, metrics_type } from "./metrics.ts";
import type { Status, StatusSource } from "./status.ts";

type Answer = { code: number; type?: string; body: string };

/**
 * What each path answers; all else is 404. /livez: this process answers. /readyz: 200 only where the lock is held and the
 * app is ready, so that a load balancer reaches the only live copy. /leader: who holds the lock as last heard; 404 if nobody.
 */
const paths: Readonly<Record<string, (status: Status) => Answer>> = {
  "/livez": ({ state }) => json(200, { alive: true, state }),
  "/readyz": ({ ready, state, because }) => json(ready ? 200 : 503, { ready, state, because }),
  "/leader": ({ holder, leading, token }) =>
    holder ? json(200, { ...holder, self: leading, token }) : json(404, { error: "no holder is known" }),
  "/status": (status) => json(200, status),
  "/metrics": (status) => ({ code: 200, type: metrics_type, body: metrics(status) }),
};

const connections_max = 64;

/** A client gets so long for its request, and as long to read the answer; whoever sends slowly keeps no connection. */
const request_ms = 5000;

/**
 * HTTP for orchestrators and people, read-only. Resolves when it listens. It holds no process up, and a failure later on
 * (no descriptors left) is told by on_note and stops nothing.
 */
export async function listen(
  { host, port }: { host: string; port: number },
  source: StatusSource,
  on_note: (sentence: string) => void,
): Promise<{ port: number; close: () => void }> {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: request_ms,
      requestTimeout: request_ms,
      connectionsCheckingInterval: 1000,
      keepAlive: false,
    },
    (request, response) => answer(request, response, source),
  );
  server.maxConnections = connections_max;
  // One request a connection: an idle one would take a place of the 64.
  server.maxRequestsPerSocket = 1;
  server.keepAliveTimeout = 1;
  server.setTimeout(request_ms, (socket) => socket.destroy());
  await opened(server, host, port);
  server.on("error", (error) => on_note(`HTTP: ${error.message}`));
  server.unref();
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function opened(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const what = `--listen: ${host} port ${port} can't be listened on (${errno(error)})`;
      reject(new ConfigError(what, `${host}:${port}`, "give another address or port"));
    });
    server.listen({ host, port, backlog: connections_max }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, source: StatusSource): void {
  // What the body says is of no interest, but it has to be drained for the answer to be read.
  request.resume();
  const { code, type = "application/json", body } = route(request, source);
  response.writeHead(code, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    connection: "close",
    ...(code === 405 && { allow: "GET, HEAD" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function route({ method, url = "" }: IncomingMessage, source: StatusSource): Answer {
  if (method !== "GET" && method !== "HEAD") return json(405, { error: "only GET and HEAD" });
  const path = url.replace(/\?[^]*/, "");
  const handler = Object.hasOwn(paths, path) ? paths[path] : undefined;
  return handler ? handler(source.status()) : json(404, { error: "no such path", paths: Object.keys(paths) });
}

function json(code: number, value: object): Answer {
  return { code, body: `${JSON.stringify(value)}\n` };
}
