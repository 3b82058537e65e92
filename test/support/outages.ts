// --on-outage hold while nothing of the lock service answers: contenders on volumes of their own, several at a time, one outage.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { at_end } from "./at-end.ts";
import { type Contender, Contenders, until } from "./contenders.ts";
import { etcd } from "./etcd.ts";
import { guard } from "./hand.ts";
import { label } from "./volume.ts";
import { ensemble } from "./zookeeper.ts";

export type Service = {
  /** A lock's URL. */
  url: (path: string) => string;
  /** Nothing of it answers any more, because it is stopped or killed; and it serves again. */
  away: (how: "stopped" | "killed") => Promise<void>;
  back: () => Promise<void>;
};

export async function etcd_service(t: TestContext): Promise<Service> {
  const servers = await etcd(t);
  await servers.ready();
  return {
    url: (path) => `etcd://127.0.0.1:${servers.members[0]?.port}${path}`,
    async away(how) {
      if (how === "stopped") servers.stop();
      else for (const member of servers.members) await member.kill();
    },
    async back() {
      servers.resume();
      for (const member of servers.members) if (!member.runs) member.start();
      await servers.ready();
    },
  };
}

export async function zookeeper_service(t: TestContext): Promise<Service> {
  const servers = await ensemble({ config: ["maxSessionTimeout=60000"] });
  t.after(() => servers.end());
  return {
    url: (path) => servers.url(path),
    async away(how) {
      for (const server of servers.servers)
        if (how === "stopped") server.stop();
        else await server.kill();
    },
    async back() {
      for (const server of servers.servers) {
        server.resume();
        if (server.pid() === 0) await server.start();
      }
    },
  };
}

type Held = { lock: string; contenders: Contenders; holder: Contender; app: number; start: () => Contender };

async function held(t: TestContext, service: Service, ttl_ms: number): Promise<Held> {
  const volume = mkdtempSync(join(tmpdir(), "leasehold-outage-"));
  t.after(at_end('rm -rf -- "$1"', volume));
  label(volume, ttl_ms);
  const contenders = new Contenders(t);
  const lock = service.url(`/outage/${randomUUID()}`);
  const args = [
    ...["--volume", volume, "--on-outage", "hold"],
    ...["--ttl", `${ttl_ms}ms`, "--drain", "200ms"],
  ];
  const start = (): Contender => contenders.start({ lock, args });
  const holder = start();
  await contenders.holder();
  await start().line(/waiting: the lock is held by node-1/);
  return { lock, contenders, holder, app: holder.app ?? 0, start };
}

/** Who has the lock in the lock service, whatever the volume says. */
async function holder_of(lock: string): Promise<string | undefined> {
  const child = spawn(guard, ["leader", "--lock", lock], { stdio: ["ignore", "pipe", "ignore"] });
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  await once(child, "close");
  return (JSON.parse(stdout || "null") as { node: string } | null)?.node;
}

/**
 * So many locks at a time, each with a holder, one that stands by and one that comes only during the outage: the app is untouched,
 * nobody else's is started, and when the service is there again the holder has its lock in it, and hands over as ever.
 */
export async function outage(
  t: TestContext,
  service: Service,
  how: "stopped" | "killed",
  { at_once, ttl_ms, leases }: { at_once: number; ttl_ms: number; leases: number },
): Promise<void> {
  const all = await Promise.all(Array.from({ length: at_once }, () => held(t, service, ttl_ms)));
  const untouched = (): void => {
    for (const { contenders, holder, app } of all) {
      assert.equal(holder.app, app, contenders.story());
      assert.equal(contenders.lives().length, 1, contenders.story());
    }
  };
  await service.away(how);
  await sleep(1.5 * ttl_ms);
  for (const { start } of all) start();
  await sleep((leases - 1.5) * ttl_ms);
  untouched();
  await service.back();
  for (const { lock, contenders, holder } of all)
    await until(
      async () => (await holder_of(lock)) === holder.node || sleep(200, false),
      "the lock in the service",
      () => contenders.story(),
    );
  await sleep(ttl_ms);
  untouched();
  await Promise.all(
    all.map(async ({ contenders, holder }) => {
      holder.signal("SIGTERM");
      await contenders.holder(holder);
      assert.equal(contenders.overlap_ms(), 0, contenders.story());
    }),
  );
}
