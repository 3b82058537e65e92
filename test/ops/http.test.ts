import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { listen } from "../../src/ops/http.ts";
import type { Status } from "../../src/ops/status.ts";
import { refusal } from "../config/refusal.ts";
import { a_status } from "./a-status.ts";

type Server = {
  port: number;
  get: (path: string, method?: string) => Promise<Response>;
  set: (change: Partial<Status>) => void;
};

async function server(t: TestContext): Promise<Server> {
  let status = a_status;
  const { port, close } = await listen({ host: "127.0.0.1", port: 0 }, { status: () => status }, assert.fail);
  t.after(close);
  return {
    port,
    get: (path, method = "GET") =>
      fetch(`http://127.0.0.1:${port}${path}`, { method, signal: AbortSignal.timeout(10_000) }),
    set: (change) => (status = { ...status, ...change }),
  };
}

/** Sends bytes as they are; all that is answered until the connection ends. */
async function raw(
  t: TestContext,
  port: number,
  text: string,
): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
  socket.on("error", () => {});
  const answer = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  socket.write(text);
  await sleep(0);
  return { socket, answer };
}

test("/readyz is 200 only where the lock is held and the app runs", async (t) => {
  const { get, set } = await server(t);
  assert.equal((await get("/readyz")).status, 200);
  set({ ready: false, state: "standby", because: "the lock is b's" });
  const response = await get("/readyz");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { ready: false, state: "standby", because: "the lock is b's" });
  assert.equal((await get("/livez")).status, 200);
});

test("/leader is who holds the lock, 404 when nobody is known", async (t) => {
  const { get, set } = await server(t);
  const expected = { node: "a", instance: "1234", address: "10.0.0.1:3306", self: true, token: "7" };
  assert.deepEqual(await (await get("/leader")).json(), expected);
  set({ holder: null });
  assert.equal((await get("/leader")).status, 404);
});

test("/status is all of it", async (t) => {
  const { get } = await server(t);
  const response = await get("/status?pretty");
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.deepEqual(await response.json(), a_status);
});

test("/metrics is Prometheus' text", async (t) => {
  const { get } = await server(t);
  const response = await get("/metrics");
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^leasehold_leading 1$/m);
});

test("GET and HEAD only, and known paths only", async (t) => {
  const { get } = await server(t);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const response = await get("/status", method);
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
  }
  const head = await get("/livez", "HEAD");
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  for (const path of ["/", "/status/", "/constructor", "/__proto__", "//status", "/../status/x"]) {
    assert.equal((await get(path)).status, 404, path);
  }
});

test("a connection serves one request", async (t) => {
  const { port } = await server(t);
  const request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
  const { answer } = await raw(t, port, request + request);
  const text = await answer;
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(text, /\r\nconnection: close\r\n/i);
  assert.equal(text.match(/"alive"/g)?.length, 1);
});

test("large headers, garbage and a slow request get no place for long", async (t) => {
  const { port } = await server(t);
  const large = await raw(t, port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
  assert.match(await large.answer, /^HTTP\/1\.1 431 /);
  const garbage = await raw(t, port, "\u0000\u0001\u0002\r\n\r\n");
  assert.match(await garbage.answer, /^HTTP\/1\.1 400 /);
  const slow = await raw(t, port, "GET / HT");
  // It ends by itself, within the test's own limit.
  await slow.answer;
});

test("at most 64 connections; when they end there is room again", async (t) => {
  const { port, get } = await server(t);
  const idle = await Promise.all(Array.from({ length: 64 }, () => raw(t, port, "")));
  await sleep(100);
  const { answer } = await raw(t, port, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(await answer, "", "the 65th is closed without an answer");
  for (const { socket } of idle) socket.destroy();
  await Promise.all(idle.map((one) => one.answer));
  assert.equal((await get("/livez")).status, 200);
});

test("a port that is taken, or an address that isn't ours, is wrong configuration", async (t) => {
  const { port } = await server(t);
  const source = { status: () => a_status };
  assert.match(
    await refusal(() => listen({ host: "127.0.0.1", port }, source, assert.fail)),
    /^78 --listen: 127\.0\.0\.1 port \d+ can't be listened on \(EADDRINUSE\); give another address or port$/,
  );
  const elsewhere = { host: "192.0.2.1", port: 1 };
  assert.match(await refusal(() => listen(elsewhere, source, assert.fail)), /\(EADDRNOTAVAIL\)/);
});

test("a listening server keeps no process alive", () => {
  const script = `
    const { listen } = await import("./src/ops/http.ts");
    await listen({ host: "127.0.0.1", port: 0 }, { status: () => ({}) }, () => {});`;
  const root = `${import.meta.dirname}/../..`;
  const { status } = spawnSync(process.execPath, ["-e", script], { cwd: root, timeout: 20_000 });
  assert.equal(status, 0);
});
