// What each kind of server has to answer to be ready. The real PostgreSQL, Redis and MariaDB are in test/e2e/ready.test.ts.

import assert from "node:assert/strict";
import { createServer } from "node:tls";
import { once } from "node:events";
import { test } from "node:test";
import { parse_ready } from "../../src/config/ready.ts";
import { check_ready } from "../../src/ready/check.ts";
import type { Dialogue } from "../../src/ready/dialogue.ts";
import { mongodb } from "../../src/ready/mongodb.ts";
import { http, mysql, postgres, redis } from "../../src/ready/protocols.ts";
import { plain_time } from "../../src/shell/time.ts";
import { Authority } from "../support/certificates.ts";
import { guard } from "../support/hand.ts";
import { requires } from "../support/requires.ts";
import { bson, mongodb_answer, mysql_packet, stand_in } from "./stand-in.ts";

const time = plain_time();

function asks(check: string, limit_ms = 20_000): Promise<string | null> {
  const parsed = parse_ready(check, "it");
  assert.ok(parsed);
  return check_ready(parsed, { limit_ms, time, job: { guard } });
}

type Say = Parameters<typeof stand_in>[1];
const text = (what: string): Buffer => Buffer.from(what, "latin1");
const error_response = (code: string, message: string): Buffer => {
  const fields = text(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
};
const greeting = mysql_packet(0, text("\x0a8.4.3\0\x08\0\0\0salt4567\0"));
const hello = [bson.object_id("processId"), bson.document("topologyVersion"), bson.string("msg", "x")];

const foreign = "what answers there doesn't speak this protocol";
const cases: readonly (readonly [what: string, check: string, say: Say, verdict: string | null])[] = [
  ["a connection is enough", "tcp:", {}, null],
  ["HTTP 200", "http:/health?a=1", { answer: text("HTTP/1.1 200 OK\r\n\r\n") }, null],
  ["HTTP 204", "http:", { answer: text("HTTP/1.0 204 No Content\r\n\r\n") }, null],
  ["HTTP 302", "http:", { answer: text("HTTP/1.1 302 Found\r\n\r\n") }, null],
  ["HTTP 401: it asks who is there", "http:", { answer: text("HTTP/1.1 401 Unauthorized\r\n\r\n") }, null],
  [
    "HTTP 503",
    "http:",
    { answer: text("HTTP/1.1 503 Service Unavailable\r\n\r\n") },
    "it answered HTTP/1.1 503 Service Unavailable",
  ],
  ["HTTP 404", "http:", { answer: text("HTTP/1.1 404 Not Found\n") }, "it answered HTTP/1.1 404 Not Found"],
  ["no HTTP", "http:", { greeting: text("SSH-2.0-OpenSSH_9.2\r\n") }, foreign],
  [
    "PostgreSQL asks for a password",
    "postgres:",
    { answer: text("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0") },
    null,
  ],
  [
    "PostgreSQL starts up",
    "postgres:",
    { answer: error_response("57P03", "the database system is starting up") },
    "the database system is starting up",
  ],
  ["PostgreSQL serves, but not us", "postgres:", { answer: error_response("28000", "no entry") }, null],
  [
    "PostgreSQL is full, and serves",
    "postgres:",
    { answer: error_response("53300", "too many clients") },
    null,
  ],
  ["no PostgreSQL", "postgres:", { greeting: text("-ERR unknown\r\n") }, foreign],
  ["MySQL greets", "mysql:", { greeting }, null],
  [
    "MySQL is full",
    "mysql:",
    { greeting: mysql_packet(0, text("\xff\x10\x04Too many connections")) },
    "it answered 1040 Too many connections",
  ],
  ["no MySQL", "mysql:", { greeting: text("HTTP/1.1 400 Bad Request\r\n") }, foreign],
  ["Redis: PONG", "redis:", { answer: text("+PONG\r\n") }, null],
  ["Redis has a password", "redis:", { answer: text("-NOAUTH Authentication required.\r\n") }, null],
  [
    "Redis loads",
    "redis:",
    { answer: text("-LOADING Redis is loading the dataset in memory\r\n") },
    "LOADING Redis is loading the dataset in memory",
  ],
  ["Redis can't save", "redis:", { answer: text("-MISCONF no disk\r\n") }, "MISCONF no disk"],
  ["no Redis", "redis:", { answer: text("hello\r\n") }, foreign],
  [
    "mongod takes writes",
    "mongodb:",
    { answer: mongodb_answer([...hello, bson.bool("isWritablePrimary", true), bson.double("ok", 1)]) },
    null,
  ],
  [
    "mongod is no primary",
    "mongodb:",
    { answer: mongodb_answer([...hello, bson.bool("isWritablePrimary", false), bson.double("ok", 1)]) },
    "it is no primary (yet)",
  ],
  [
    "an old mongod",
    "mongodb:",
    { answer: mongodb_answer([bson.double("ok", 0), bson.int32("code", 59)]) },
    "it doesn't know hello, so that it is older than 4.4.2; check it with tcp",
  ],
  [
    "a mongod in trouble",
    "mongodb:",
    { answer: mongodb_answer([bson.double("ok", 0)]) },
    "it answered with an error",
  ],
  ["no mongod", "mongodb:", { answer: text("HTTP/1.1 400 Bad Request\r\n\r\n") }, foreign],
  ["it hangs up", "redis:", { ends: true }, "the connection was closed without an answer"],
];
for (const [what, check, say, verdict] of cases) {
  test(`${what}: ${verdict === null ? "ready" : "not ready"}`, async (t) => {
    const { port } = await stand_in(t, say);
    const [scheme = "", path = ""] = check.split(":");
    assert.equal(await asks(`${scheme}://127.0.0.1:${port}${path}`), verdict);
  });
}

test("a part of an answer says the same as all of it, or nothing yet", () => {
  const dialogues: Record<string, Dialogue> = {
    http: http("h", "/", false),
    postgres: postgres("p"),
    mysql,
    redis,
    mongodb,
  };
  for (const [what, check, { greeting, answer = greeting }, verdict] of cases) {
    const dialogue = dialogues[check.split(":")[0] ?? ""];
    if (!dialogue?.judge || !(answer instanceof Uint8Array)) continue;
    const bytes = Buffer.from(answer);
    assert.equal(dialogue.judge(bytes), verdict, what);
    for (let length = 0; length < bytes.length; length++) {
      const said = dialogue.judge(bytes.subarray(0, length));
      assert.ok(said === undefined || said === verdict, `${what}, ${length} bytes: ${said}`);
    }
  }
});

test("nobody listens there: not ready, with the reason", async (t) => {
  const { port } = await stand_in(t, {});
  assert.equal(await asks(`tcp://127.0.0.1:${port === 1 ? 2 : 1}`), "ECONNREFUSED");
});

test("whoever never answers is not ready when the time is over", async (t) => {
  const { port } = await stand_in(t, {});
  for (const scheme of ["http", "postgres", "mysql", "redis", "mongodb"])
    assert.equal(await asks(`${scheme}://127.0.0.1:${port}`, 30), "no answer within 30 ms", scheme);
});

test("whoever talks without end is cut off", async (t) => {
  const { port } = await stand_in(t, { greeting: Buffer.alloc(200_000, "R") });
  const verdict = await asks(`mongodb://127.0.0.1:${port}`);
  assert.equal(verdict, foreign);
});

test("what is asked: HTTP's request line with host and path, PostgreSQL's user, and nothing after it", async (t) => {
  const http = await stand_in(t, { answer: text("HTTP/1.1 200 OK\r\n\r\n") });
  await asks(`http://127.0.0.1:${http.port}/a?b=c`);
  assert.match(
    http.received(),
    new RegExp(`^GET /a\\?b=c HTTP/1\\.1\r\nHost: 127\\.0\\.0\\.1:${http.port}\r\n`),
  );
  const postgres = await stand_in(t, { answer: text("R\0\0\0\x08\0\0\0\x03") });
  await asks(`postgres://app@127.0.0.1:${postgres.port}`);
  const startup = "\0\0\0\x24\0\x03\0\0user\0app\0database\0postgres\0\0";
  assert.equal(postgres.received().slice(0, startup.length), startup);
});

test("https, with whatever certificate", async (t) => {
  if (!requires(t, "openssl")) return;
  const server = createServer(new Authority(t).ca, (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => void server.close());
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  assert.equal(await asks(`https://127.0.0.1:${port}/health/live`), null);
  assert.match(
    (await asks(`http://127.0.0.1:${port}/health/live`)) ?? "",
    /closed|speak|answered|ECONNRESET/,
  );
});

test("a command: ready when it ends with 0; its last line is the reason", async () => {
  assert.equal(await asks("exec:true"), null);
  assert.equal(await asks("exec:echo one; echo two; exit 3"), "its check ended with 3: two");
  assert.equal(await asks("exec:kill -9 $$"), "its check ended by signal 9");
  assert.equal(await asks("exec:sleep 1000", 100), "its check was killed, after 100 ms at the latest");
});
