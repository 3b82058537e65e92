// The payload in containers whose roots have no glibc, no loader, or another one: only busybox, which is static, and /opt/leasehold.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import pkg from "../../package.json" with { type: "json" };
import { type ContainerOptions, run_container, start_container } from "../support/container.ts";
import { make_payload, type Payload } from "../support/payload.ts";
import { requires } from "../support/requires.ts";

let made: Payload | undefined;
after(() => made?.remove());

/** undefined: something is missing, and the test is skipped. */
function payload(t: TestContext): Payload | undefined {
  if (!requires(t, "root", "runc", "busybox", "patchelf", "strip", "musl-gcc")) return undefined;
  return (made ??= make_payload());
}
const leasehold = "/opt/leasehold/leasehold";
const run = (...app: string[]): string[] => [leasehold, "run", "--lock", "memory:", "--", ...app];

async function contained(
  t: TestContext,
  { files }: Payload,
  options: Omit<ContainerOptions, "rootfs_files">,
) {
  return run_container(t, { ...options, rootfs_files: files, timeout_ms: 30_000 });
}

test("it has a size that is told, all licences, and a list of what is in it", (t) => {
  const made_now = payload(t);
  if (!made_now) return;
  const { folder, bytes } = made_now;
  const packed = Number(
    execFileSync("sh", ["-c", 'tar -C "$0" -c . | gzip -6 | wc -c', folder], { encoding: "utf8" }),
  );
  const mb = (size: number): string => `${(size / 1e6).toFixed(1)} MB`;
  t.diagnostic(`on disk ${mb(bytes)}, compressed ${mb(packed)}`);
  assert.ok(bytes <= 120e6, mb(bytes));
  const licenses = readdirSync(join(folder, "licenses"));
  for (const name of ["leasehold", "node", "commander", "pino", "libc6", "libstdc++6"])
    assert.ok(licenses.includes(name), name);
  const sbom = JSON.parse(readFileSync(join(folder, "sbom.cdx.json"), "utf8")) as {
    bomFormat: string;
    components: { name: string; version: string }[];
  };
  assert.equal(sbom.bomFormat, "CycloneDX");
  const version = (name: string) => sbom.components.find((one) => one.name === name)?.version;
  assert.equal(version("node"), pkg.dependencies.node);
  assert.equal(version("commander"), pkg.devDependencies.commander);
  assert.ok(version("libc6"));
});

const places: readonly (readonly [what: string, options: Omit<ContainerOptions, "args" | "rootfs_files">])[] =
  [
    ["as root", {}],
    ["as an arbitrary user, who is in no passwd (OpenShift)", { user: 1_000_660_000 }],
    [
      "read-only root, no capability, no new privileges, noexec tmp",
      { user: 1234, no_new_privileges: true, read_only: true, noexec_tmp: true },
    ],
    ["without CAP_KILL", { drop: ["CAP_KILL"] }],
  ];
for (const [what, options] of places) {
  test(`in a root without glibc, ${what}: the app runs, and its code comes through`, async (t) => {
    const made_now = payload(t);
    if (!made_now) return;
    const { code, stdout, stderr } = await contained(t, made_now, {
      ...options,
      args: run("/bin/sh", "-c", "echo token $LEASEHOLD_TOKEN; exit 3"),
    });
    assert.deepEqual([code, stdout], [3, "token 1\n"], stderr);
  });
}

test("the image's own loader and libraries are not used: here they are no programs at all", async (t) => {
  const made_now = payload(t);
  if (!made_now) return;
  const folder = mkdtempSync(join(tmpdir(), "leasehold-foreign-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const garbage = join(folder, "garbage");
  writeFileSync(garbage, "another glibc", { mode: 0o755 });
  const names = ["libc.so.6", "libstdc++.so.6", "libm.so.6"];
  const places_of = names.flatMap((name) => [
    `/lib/x86_64-linux-gnu/${name}`,
    `/usr/lib/x86_64-linux-gnu/${name}`,
    `/lib64/${name}`,
  ]);
  const foreign = Object.fromEntries(
    [...places_of, "/lib64/ld-linux-x86-64.so.2"].map((path) => [path, garbage]),
  );
  const files = { ...made_now.files, ...foreign };
  const { code, stdout, stderr } = await contained(
    t,
    { ...made_now, files },
    { args: run("/bin/echo", "started") },
  );
  assert.deepEqual([code, stdout], [0, "started\n"], stderr);
});

test("a musl root, whose app is linked against its own libc", async (t) => {
  const made_now = payload(t);
  if (!made_now) return;
  const folder = mkdtempSync(join(tmpdir(), "leasehold-musl-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = join(folder, "app.c");
  writeFileSync(source, '#include <stdio.h>\nint main(void) { puts("musl"); return 4; }\n');
  execFileSync("musl-gcc", ["-o", join(folder, "app"), source]);
  const files = {
    ...made_now.files,
    "/app": join(folder, "app"),
    "/lib/ld-musl-x86_64.so.1": "/lib/ld-musl-x86_64.so.1",
  };
  const { code, stdout, stderr } = await contained(t, { ...made_now, files }, { args: run("/app") });
  assert.deepEqual([code, stdout], [4, "musl\n"], stderr);
});

test("docker stop: the app gets its stop signal, and its code comes through", async (t) => {
  const made_now = payload(t);
  if (!made_now) return;
  const app = "trap 'echo bye; exit 5' INT; echo up; while :; do sleep 0.05; done";
  const c = await start_container(t, {
    args: [leasehold, "run", "--lock", "memory:", "--stop-signal", "SIGINT", "--", "/bin/sh", "-c", app],
    rootfs_files: made_now.files,
  });
  while (!c.stdout().includes("up")) await new Promise((resolve) => setTimeout(resolve, 10));
  c.kill("SIGTERM");
  assert.equal(await c.exit, 5, c.stderr());
  assert.equal(c.stdout(), "up\nbye\n");
});

test("leasehold doctor, as the command of a container: what Docker takes away is told, and nothing is wrong", async (t) => {
  const made_now = payload(t);
  if (!made_now) return;
  const { code, stdout, stderr } = await contained(t, made_now, { args: [leasehold, "doctor"] });
  assert.equal(code, 0, stderr + stdout);
  assert.match(stdout, /^good {3}leasehold is the first process of its PID namespace\.$/m);
  assert.match(stdout, /^weak {3}no real-time priority: .*; add SYS_NICE/m);
  assert.match(
    stdout,
    /^weak {3}there is no --volume, so that only the lock protects the data; give --volume PATH\.$/m,
  );
  assert.doesNotMatch(stdout, /^wrong/m);
});

test("how much later an app begins than without leasehold", async (t) => {
  const made_now = payload(t);
  if (!made_now) return;
  const took_ms = async (args: string[]): Promise<number> => {
    const all: number[] = [];
    for (let round = 0; round < 5; round++) {
      const begun_ms = performance.now();
      const { code } = await contained(t, made_now, { args });
      assert.equal(code, 0);
      all.push(performance.now() - begun_ms);
    }
    return all.toSorted((a, b) => a - b)[2] ?? 0;
  };
  const [without_ms, with_ms] = [await took_ms(["/bin/true"]), await took_ms(run("/bin/true"))];
  t.diagnostic(
    `a container whose app ends at once: ${without_ms.toFixed(0)} ms without, ${with_ms.toFixed(0)} ms with leasehold, medians of 5`,
  );
});

test("npm pack, installed into an empty project, runs", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-pack-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const npm = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync("npm", args, {
      cwd: folder,
      encoding: "utf8",
      timeout: 300_000,
    });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const [packed] = JSON.parse(
    npm("pack", "--json", "--ignore-scripts", join(import.meta.dirname, "../..")),
  ) as { filename: string; size: number }[];
  assert.ok(packed);
  t.diagnostic(`the package has ${(packed.size / 1e6).toFixed(2)} MB`);
  writeFileSync(join(folder, "package.json"), '{"name":"empty","private":true}\n');
  npm("install", "--prefer-offline", "--no-audit", "--no-fund", join(folder, packed.filename));
  const { status, stdout, stderr } = spawnSync(
    join(folder, "node_modules/.bin/leasehold"),
    ["run", "--lock", "memory:", "--", "echo", "installed"],
    { encoding: "utf8", cwd: "/" },
  );
  assert.deepEqual([status, stdout], [0, "installed\n"], stderr);
});
