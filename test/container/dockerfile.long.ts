// container/Dockerfile, built for real by podman on a base image of Debian's packages: what is in the image is the payload as
// tools/payload.ts makes it here, byte for byte, but for the code cache, which holds addresses of its making.
//
//   npm run test:long -- container/dockerfile      about 75 s

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { make_payload } from "../support/payload.ts";
import { Podman, podman_needs } from "../support/podman.ts";
import { requires } from "../support/requires.ts";

const root = join(import.meta.dirname, "../..");
const sums = (folder: string): string[] =>
  execFileSync("sh", ["-c", 'cd "$0" && find . -type f -exec sha256sum "{}" +', folder], { encoding: "utf8" })
    .trim()
    .split("\n")
    .filter((line) => !line.endsWith("/controller.cache"))
    .toSorted();

test("the Dockerfile's image holds the payload and nothing else, and runs", async (t) => {
  if (!requires(t, ...podman_needs, "buildah", "patchelf", "strip", "musl-gcc")) return;
  const podman = new Podman(t);
  await podman.base("base", ["ca-certificates"]);
  // The machine's certificates: it may reach npm's registry by a way of its own.
  const options = ["--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "--build-arg", "BASE=localhost/base"];
  await podman.build("leasehold", root, ...options, "--file", join(root, "container/Dockerfile"));

  const mounted = await podman.run("image", "mount", "leasehold");
  const payload = make_payload();
  t.after(payload.remove);
  assert.deepEqual(sums(join(mounted, "opt/leasehold")), sums(payload.folder));
  const all = execFileSync("find", [mounted, "-type", "f"], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(
    all.filter((path) => !path.includes("/opt/leasehold/")),
    [],
  );
  await podman.run("image", "unmount", "leasehold");
  const where = ["--rm", "--pull=never", "--runtime=runc", "--network=none", "--ulimit=nofile=1024:1024"];
  const version = await podman.run("run", ...where, "--ulimit=nproc=1024:1024", "leasehold", "--version");
  assert.match(version, /^\d+\.\d+\.\d+$/);
});
