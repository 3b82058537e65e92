// A TCP relay in a process of its own, for a network between a client and one server that can be made to fail.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export type Relay = {
  port: number;
  /** SIGSTOP and SIGCONT: what is on the way stays there, and arrives later. */
  stop(): void;
  resume(): void;
  /** Breaks all connections and refuses new ones, or takes them again. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** New connections lead to another port from now on. */
  aim(port: number): Promise<void>;
  /** Bytes in this direction are kept back, "up" to the server, and let go in order; those of a connection that its end has left meanwhile, too. */
  hold(direction: "up" | "down"): Promise<void>;
  let_go(): Promise<void>;
  /** All bytes are later by so much. */
  delay(ms: number): Promise<void>;
  /** The server's answers are noise, as long, from now on or no more. */
  garble(on: boolean): Promise<void>;
};

/** Relays to a port on 127.0.0.1; ends with the test. */
export async function relay(t: { after(end: () => Promise<void>): void }, to_port: number): Promise<Relay> {
  const child = spawn(process.execPath, [import.meta.filename, String(to_port)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  const [message] = (await once(child, "message")) as [{ port: number }];
  const order = async (what: string, value?: unknown): Promise<void> => {
    const done = once(child, "message");
    child.send({ what, value });
    await done;
  };
  return {
    port: message.port,
    stop: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    cut: () => order("cut"),
    mend: () => order("mend"),
    aim: (port) => order("aim", port),
    hold: (direction) => order("hold", direction),
    let_go: () => order("hold", "none"),
    delay: (ms) => order("delay", ms),
    garble: (on) => order("garble", on),
  };
}

async function main(to_port: number): Promise<void> {
  const pairs = new Set<Socket>();
  const pumps = new Set<() => void>();
  const state = { open: true, to_port, hold: "none", delay_ms: 0, garble: false };

  const pump = (from: Socket, to: Socket, direction: string): void => {
    const queue: { chunk: Buffer | null; due_ms: number }[] = [];
    const run = (): void => {
      for (let first = queue[0]; first; first = queue[0]) {
        if (state.hold === direction) return;
        const left_ms = first.due_ms - performance.now();
        if (left_ms > 0) return void setTimeout(run, left_ms);
        queue.shift();
        if (first.chunk) to.write(first.chunk);
        else to.end();
      }
    };
    const add = (chunk: Buffer | null): void => {
      queue.push({ chunk, due_ms: performance.now() + state.delay_ms });
      run();
    };
    const noise = (chunk: Buffer): Buffer =>
      state.garble && direction === "down" ? randomBytes(chunk.length) : chunk;
    from
      .on("data", (chunk: Buffer) => add(noise(chunk)))
      .on("end", () => {
        // Kept back, the end of a connection is never told: as if its packet were lost, and only what came before arrived late.
        if (state.hold !== direction) add(null);
      });
    from
      .on("error", () => {})
      .on("close", () => {
        pairs.delete(from);
        if (from.errored) to.destroy();
      });
    pairs.add(from);
    pumps.add(run);
    to.on("close", () => pumps.delete(run));
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (!state.open) return void client.resetAndDestroy();
    const upstream = connect({ port: state.to_port, host: "127.0.0.1", allowHalfOpen: true });
    pump(client, upstream, "up");
    pump(upstream, client, "down");
  });
  process.on("message", ({ what, value }: { what: string; value?: unknown }) => {
    if (what === "cut" || what === "mend") state.open = what === "mend";
    if (what === "cut") for (const socket of pairs) socket.resetAndDestroy();
    if (what === "aim") state.to_port = Number(value);
    if (what === "hold") state.hold = String(value);
    if (what === "delay") state.delay_ms = Number(value);
    if (what === "garble") state.garble = value === true;
    for (const run of pumps) run();
    process.send?.({});
  });
  process.on("disconnect", () => process.exit());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  process.send?.({ port: address.port });
}

if (import.meta.main) await main(Number(process.argv[2]));
