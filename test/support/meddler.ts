// An HTTP proxy between a contender and one etcd member: it keeps a rotation back and lets it arrive late, or answers garbage.

import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";

/** Each is what some broken server, or something else on that port, may answer. */
const garbage = {
  "bytes that are no HTTP": (_, socket) => void socket.end(randomBytes(2000)),
  "HTTP whose body is no JSON": (response) => void response.writeHead(200).end(randomBytes(2000)),
  "an empty object": (response) => void response.writeHead(200).end("{}"),
  "nothing, the connection ends": (_, socket) => socket.destroy(),
  "a proxy's page": (response) => void response.writeHead(502).end("<html>Bad Gateway</html>"),
  "an answer that is cut off": (response) => {
    response.writeHead(200, { "content-length": "400" }).write('{"header":{"cluster_id":"1');
    setTimeout(() => response.destroy(), 20);
  },
  "an answer without an end": (response) => {
    response.writeHead(200);
    const chunk = Buffer.alloc(1 << 20, " ");
    const more = (): boolean => !response.destroyed && (response.write(chunk), setTimeout(more, 10), true);
    more();
  },
  "another cluster's answer": (response) =>
    void response.writeHead(200).end('{"header":{"cluster_id":"1","member_id":"1","revision":"9"}}'),
} satisfies Record<string, (response: ServerResponse, socket: Socket) => void>;
export type Garbage = keyof typeof garbage;
export const kinds_of_garbage = Object.keys(garbage) as Garbage[];

export type Meddler = {
  port: number;
  /** Nothing passes: broken and refused. */
  cut(): void;
  mend(): void;
  /** The next rotation is kept back, and from then on this member answers nothing. Resolves when it is kept. */
  keep_rotation(): Promise<void>;
  /** It arrives now, whoever waits for its answer; the member answers again. */
  let_go(): void;
  garble(kind: Garbage | null): void;
};

export async function meddler(t: TestContext, to_port: number): Promise<Meddler> {
  const state = { open: true, keep: false, silent: false, garbage: null as Garbage | null };
  let kept: { tell: () => void; go: () => void } = { tell: () => {}, go: () => {} };

  const forward = (
    { url = "", headers }: { url?: string | undefined; headers: IncomingHttpHeaders },
    body: Buffer,
    response: ServerResponse | null,
  ): void => {
    const sending = request({ port: to_port, host: "127.0.0.1", path: url, method: "POST", headers });
    sending.on("error", () => response?.destroy());
    sending.on("response", (answer) => {
      response?.writeHead(answer.statusCode ?? 500, answer.headers);
      if (response) answer.pipe(response);
      else answer.resume();
    });
    response?.on("close", () => sending.destroy());
    sending.end(body);
  };
  const serve = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    response.on("error", () => {});
    if (state.garbage !== null) return void garbage[state.garbage](response, asked.socket);
    if (state.silent) return;
    if (!state.keep || !body.includes('"ignore_value":true')) return forward(asked, body, response);
    state.keep = false;
    state.silent = true;
    const { url = "", headers } = asked;
    kept.go = () => forward({ url, headers }, body, null);
    kept.tell();
  };
  const server = createServer((asked, response) => {
    serve(asked, response).catch(() => response.destroy());
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    if (!state.open) return void socket.destroy();
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  const break_all = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    break_all();
  });
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    cut() {
      state.open = false;
      break_all();
    },
    mend: () => void (state.open = true),
    keep_rotation() {
      state.keep = true;
      return new Promise((resolve) => (kept = { tell: resolve, go: () => {} }));
    },
    let_go() {
      kept.go();
      kept = { tell: () => {}, go: () => {} };
      state.keep = false;
      if (state.silent) break_all();
      state.silent = false;
    },
    garble(kind) {
      state.garbage = kind;
      break_all();
    },
  };
}
