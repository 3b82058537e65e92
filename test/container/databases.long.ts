// Likenesses of official images with leasehold in front, two containers and one volume: each database on each lock service, and
// all that may happen to a container (test/support/container-faults.ts), while clients write through HAProxy.
//
//   npm run test:long -- container/databases
//   LEASEHOLD_TEST_ONLY=redis,etcd    only these

import assert from "node:assert/strict";
import { test } from "node:test";
import { faults_of, report, strike_all, ttl_s } from "../support/container-faults.ts";
import { services } from "../support/container-pair.ts";
import { mariadb_image, postgres_image, redis_image } from "../support/images.ts";
import { Podman, podman_needs } from "../support/podman.ts";
import { requires } from "../support/requires.ts";

const only = process.env.LEASEHOLD_TEST_ONLY?.split(",");
const images = [redis_image, postgres_image, mariadb_image];
let podman: Podman | undefined;

for (const service of services)
  for (const image of images) {
    if (only?.includes(image.name) === false || only?.includes(service.name) === false) continue;
    test(`${image.name} on ${service.name}, all faults of the container that holds`, async (t) => {
      if (!requires(t, ...podman_needs, ...service.requirements, "patchelf", "strip", "python3")) return;
      podman ??= await made();
      const env = { LEASEHOLD_TTL: `${ttl_s}s` };
      const run = ["--memory=900m"];
      const outcome = await strike_all(t, { podman, image, service, env, run }, faults_of(image));
      for (const line of report(outcome)) t.diagnostic(line);
      assert.deepEqual(outcome.lost, []);
    });
  }

/** All images, once. Their storage goes with this process. */
async function made(): Promise<Podman> {
  const one = new Podman({ after: () => {} });
  await one.base("base", [...new Set(images.flatMap(({ packages }) => packages))]);
  await one.leasehold();
  for (const { name } of images) await one.singleton(name, "base");
  return one;
}
