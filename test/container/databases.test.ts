// examples/compose, its Dockerfile, command and environment, on a likeness of the official Redis image: two containers on one volume,
// start, podman stop, podman kill. The long suite does all faults to three databases on both lock services.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { podman_kill, report, stop, strike_all, ttl_s } from "../support/container-faults.ts";
import { services } from "../support/container-pair.ts";
import { redis_image } from "../support/images.ts";
import { Podman, podman_needs } from "../support/podman.ts";
import { requires } from "../support/requires.ts";

type Service = { entrypoint: string[]; command: string[]; environment: Record<string, string> };
type Compose = { services: { "app-a": Service } };

const example = join(import.meta.dirname, "../../examples/compose");

test("the compose example's Redis: podman stop and podman kill of the holder lose no acknowledged write", async (t) => {
  const [service] = services;
  assert.ok(service);
  if (!requires(t, ...podman_needs, ...service.requirements, "patchelf", "strip", "busybox")) return;
  const podman = new Podman(t);
  await podman.base("base", redis_image.packages);
  await podman.leasehold();
  const official = await podman.official("redis", "base", "7");
  await podman.build("compose-redis", example, "--build-arg", `IMAGE=${official}`);

  const compose: Compose = parse(readFileSync(join(example, "redis.yaml"), "utf8"), { merge: true });
  const { entrypoint, command, environment } = compose.services["app-a"];
  const env = { ...environment, LEASEHOLD_TTL: `${ttl_s}s` };
  const image = {
    ...redis_image,
    volume: "/volume",
    // What was acknowledged is to outlive a kill at any moment.
    cmd: [...command, "--appendfsync", "always"],
    check: ["redis-check-aof", "/volume/data/appendonlydir/appendonly.aof.manifest"],
  };
  const options = {
    podman,
    image,
    service,
    env,
    tag: "compose-redis",
    run: ["--entrypoint", JSON.stringify(entrypoint)],
  };
  const outcome = await strike_all(t, options, [stop, podman_kill]);
  for (const line of report(outcome)) t.diagnostic(line);
  assert.deepEqual(outcome.lost, []);
});
