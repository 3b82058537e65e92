// `leasehold run` on real etcd: contenders, each with an app that writes down when it lived, and one fault after the other.
// What each fault is: test/support/faults.ts. The long suite does each of them twenty times.

import assert from "node:assert/strict";
import {
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Contender, type ContenderOptions, Contenders, until } from "../support/contenders.ts";
import { etcd, type Etcd, type EtcdOptions } from "../support/etcd.ts";
import {
  type Fault,
  process_faults,
  random_of,
  Stage,
  type StageOptions,
  strike,
  type Way,
} from "../support/faults.ts";
import { link_faults, short_link_faults } from "../support/faults-links.ts";
import {
  etcd_url,
  member_faults,
  operator_faults,
  stored,
  unheard_deletion,
} from "../support/faults-etcd.ts";
import { all_processes, descendants } from "../support/processes.ts";
import { relay } from "../support/relay.ts";
import { requires } from "../support/requires.ts";

const path = "/run";
const ports = (servers: Etcd): number[] => servers.members.map(({ port }) => port);

async function servers_of(t: TestContext, options: EtcdOptions = {}): Promise<Etcd | null> {
  if (!requires(t, "etcd", "etcdctl")) return null;
  const servers = await etcd(t, options);
  await servers.ready();
  return servers;
}

// ---- faults ----

/** Each of them once, by the same contenders. */
async function once_each<W extends Way>(
  t: TestContext,
  servers: Etcd,
  faults: readonly Fault<W>[],
  options: Partial<StageOptions<W>> = {},
): Promise<void> {
  const stage = await Stage.open<W>(t, { ports: ports(servers), url: etcd_url(path), ...options });
  const seed = Date.now();
  t.diagnostic(`seed ${seed}`);
  const random = random_of(seed);
  for (const fault of faults)
    await t.test(`${fault.name}: ${fault.outcome}`, async (t) => {
      const { overlap_ms } = await strike(stage, fault, 1, random);
      assert.equal(overlap_ms, 0);
      const gap_ms = stage.cast.gaps_ms().at(-1);
      if (gap_ms !== undefined && fault.outcome === "another")
        t.diagnostic(`from one app's last sign of life to the next one's first: ${gap_ms.toFixed(1)} ms`);
    });
}

test("a process of the holder fails", async (t) => {
  const servers = await servers_of(t);
  if (servers) await once_each(t, servers, process_faults);
});

test("an operator meddles with the lock", async (t) => {
  const servers = await servers_of(t);
  // With a fence hook nobody waits the lease out.
  const args = (): string[] => ["--fence", "true"];
  if (servers) await once_each(t, servers, operator_faults(servers, path), { args });
});

test("the holder's link fails", async (t) => {
  const servers = await servers_of(t);
  const [silent] = link_faults;
  if (!servers || !silent) return;
  const faults = [...short_link_faults, silent, unheard_deletion(servers, path)];
  await once_each(t, servers, faults, { way: relay });
});

test("a member of the cluster fails", async (t) => {
  const servers = await servers_of(t, { members: 3 });
  if (servers) await once_each(t, servers, member_faults(servers, path));
});

// ---- what one contender does ----

type Scene = {
  servers: Etcd;
  lock: string;
  cast: Contenders;
  start: (args?: readonly string[], more?: Partial<ContenderOptions>) => Contender;
  file: (name: string) => string;
};

async function scene(t: TestContext): Promise<Scene | null> {
  const servers = await servers_of(t);
  if (servers === null) return null;
  const cast = new Contenders(t);
  const lock = etcd_url(path)(ports(servers));
  return {
    servers,
    lock,
    cast,
    start: (args = [], more = {}) => cast.start({ lock, args: ["--stop-timeout", "1s", ...args], ...more }),
    file: (name) => join(cast.folder, name),
  };
}

/** The holder's machine is gone, and its lease has ended: without the wait for it. */
async function perish({ servers }: Scene, holder: Contender): Promise<void> {
  holder.vanish();
  await holder.exited();
  servers.ctl(["del", `${path}/lock`]);
}

test("the second contender waits, and its first line says for what, and who holds it", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  s.start();
  await s.cast.holder();
  const second = s.start();
  await second.line(/^waiting: the lock is held by node-1 since .* \(etcd:\S+, asked for as node-2\)$/);
  assert.equal(second.lines().length, 1, second.story());
});

test("the lock is busy: --when-busy exit and --wait-timeout end with 75, and name the holder", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  s.start();
  const holder = await s.cast.holder();
  const { app } = holder;
  const hasty = s.start(["--when-busy", "exit"]);
  const patient = s.start(["--wait-timeout", "500ms"]);
  assert.equal(await hasty.exited(), 75);
  assert.equal(await patient.exited(), 75);
  await hasty.line(/the lock is held by node-1/);
  await patient.line(/the wait is over: the lock is still held by node-1/);
  assert.equal(holder.app, app);
});

test("etcd can't be reached: 69 with --when-busy exit, and after --wait-timeout", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  await s.servers.members[0]?.kill();
  const hasty = s.start(["--when-busy", "exit"]);
  const patient = s.start(["--wait-timeout", "2s"]);
  assert.equal(await hasty.exited(), 69);
  assert.equal(await patient.exited(), 69);
});

test("the lease is lost: 80, the lost hook is told why, the termination record says so", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const [record, hook] = [s.file("termination"), s.file("hook")];
  const holder = s.start([
    ...["--termination-log", record, "--advertise", "db1:3306"],
    ...["--lost", `echo "$LEASEHOLD_HOOK: $LEASEHOLD_BECAUSE" >${hook}`],
  ]);
  await s.cast.holder();
  const { create } = stored(s.servers, path) ?? {};
  s.servers.ctl(["del", `${path}/lock`]);
  assert.equal(await holder.exited(), 80);
  assert.match(readFileSync(hook, "utf8"), /^lost: the key \/run\/lock is gone/);
  const { at, because, instance, last_proof_ms_ago, ...rest } = JSON.parse(
    readFileSync(record, "utf8"),
  ) as Record<string, unknown>;
  assert.deepEqual(rest, { code: 80, node: "node-1", lock: s.lock, token: String(create) });
  assert.match(String(because), /the lease was lost: the key \/run\/lock is gone/);
  assert.ok([at, instance].every((text) => typeof text === "string"));
  assert.ok(typeof last_proof_ms_ago === "number" && last_proof_ms_ago >= 0);
});

test("--on-loss standby: the app dies, the same process waits, and runs a new one later", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const fence = ["--fence", "true"]; // nobody waits the lost lease out
  const first = s.start(["--on-loss", "standby", ...fence]);
  await s.cast.holder();
  const second = s.start(fence);
  await second.line(/^waiting/);
  const { controller } = first;
  s.servers.ctl(["del", `${path}/lock`]);
  await first.line(/^the lease is lost/);
  // Whoever is quicker has it now.
  const next = await s.cast.holder();
  if (next === second) {
    await first.line(/^waiting: the lock is held by node-2/);
    second.signal("SIGTERM");
    await s.cast.holder(second);
  }
  assert.equal(first.controller, controller);
  assert.ok(s.cast.gaps_ms().every((gap_ms) => gap_ms > 0));
  assert.equal(s.cast.overlap_ms(), 0);
});

test("the fence hook runs only after an end that wasn't clean, and is told of whom", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const told = s.file("told");
  const fence = ["--fence", `env | grep ^LEASEHOLD_FENCE_ | sort >>${told}`, "--advertise", "db1:3306"];
  const first = s.start(fence);
  await s.cast.holder();
  first.signal("SIGTERM");
  await first.exited();
  const second = s.start(fence);
  await s.cast.holder();
  second.signal("SIGKILL", second.controller); // the guard gives the lock back for it, and the record is clean
  assert.equal(await second.exited(), 70);
  const third = s.start(fence);
  await s.cast.holder();
  assert.equal(existsSync(told), false, third.story());
  const token = stored(s.servers, path)?.create;
  await perish(s, third);
  const fourth = s.start(fence);
  await s.cast.holder(third);
  const lines = readFileSync(told, "utf8").trimEnd().split("\n");
  const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  assert.deepEqual(lines, [
    "LEASEHOLD_FENCE_ADDRESS=db1:3306",
    `LEASEHOLD_FENCE_BOOT_ID=${boot_id}`,
    "LEASEHOLD_FENCE_HOLDER=node-3",
    `LEASEHOLD_FENCE_INSTANCE=${third.instance}`,
    "LEASEHOLD_FENCE_SAME_BOOT=1",
    `LEASEHOLD_FENCE_TOKEN=${token}`,
  ]);
  await fourth.line(/fencing first: the last holder, node-3, did not end clean/);
});

test("the fence hook fails: 83, nothing is started, and whoever comes next has to fence the same one", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const first = s.start();
  await s.cast.holder();
  await perish(s, first);
  const second = s.start(["--fence", "echo no answer from the switch; exit 3"]);
  assert.equal(await second.exited(), 83);
  await second.line(/the fence hook failed: it ended with code 3; it said: no answer from the switch/);
  assert.equal(second.app, undefined);
  assert.equal(stored(s.servers, path), undefined);
  const third = s.start(["--fence", `echo "$LEASEHOLD_FENCE_HOLDER" >${s.file("fenced")}`]);
  await s.cast.holder(second);
  assert.equal(readFileSync(s.file("fenced"), "utf8"), "node-1\n");
  assert.equal(s.cast.lives().length, 2, third.story());
});

test("the pre-start hook fails: 84, nothing is started, the lock is free", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const one = s.start(["--pre-start", "exit 5"]);
  assert.equal(await one.exited(), 84);
  assert.equal(s.cast.lives().length, 0);
  assert.equal(stored(s.servers, path), undefined);
});

test("the hooks run around the app, in order, under the lock; the app's own code is leasehold's", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const told = s.file("told");
  // The lock is held while each of them runs: its key is there.
  const url = `http://127.0.0.1:${ports(s.servers)[0]}`;
  const held = `ETCDCTL_API=3 etcdctl --endpoints ${url} get ${path}/lock --keys-only | grep -c lock >>${told}`;
  const one = s.start(
    ["--pre-start", `echo pre-start >>${told}; ${held}`, "--post-stop", `echo post-stop >>${told}; ${held}`],
    { app: ["/bin/sh", "-c", `echo app >>${told}; exit 7`] },
  );
  assert.equal(await one.exited(), 7);
  assert.equal(readFileSync(told, "utf8"), "pre-start\n1\napp\npost-stop\n1\n");
  assert.equal(stored(s.servers, path), undefined);
});

test("the post-stop hook fails after an app that ended well: 84", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const one = s.start(["--post-stop", "exit 4"], { app: ["/bin/true"] });
  assert.equal(await one.exited(), 84);
  await one.line(/the post-stop hook failed: it ended with code 4/);
  assert.equal(stored(s.servers, path), undefined);
});

test("the app's environment: its own, the tokens, node and instance, and nothing of leasehold's options", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const env = {
    LEASEHOLD_TTL: "20s",
    LEASEHOLD_LOCK: s.lock,
    LEASEHOLD_MARGIN: "1s",
    NODE_OPTIONS: "--no-such",
    A: "b",
  };
  const one = s.start([], { env, app: ["/usr/bin/env"] });
  assert.equal(await one.exited(), 0, one.story());
  const [, token] = /token (\d+)/.exec((await one.line(/^took the lock/)).message) ?? [];
  const given = one.stdout.split("\n").filter((line) => /^(LEASEHOLD|NODE|A)/.test(line));
  assert.deepEqual(given.toSorted(), [
    "A=b",
    `LEASEHOLD_INSTANCE=${one.instance}`,
    `LEASEHOLD_LOCK_TOKEN=${token}`,
    "LEASEHOLD_NODE=node-1",
    `LEASEHOLD_TOKEN=${token}`,
    "NODE_OPTIONS=--no-such",
  ]);
});

test("the lock's password is in no command line, not in the app's or a hook's environment, in no log, and on no disk", async (t) => {
  const s = await scene(t);
  if (s === null) return;
  const secret = "correct-horse-battery";
  const { servers } = s;
  for (const words of [
    "user add root:other",
    "user grant-role root root",
    `user add u:${secret}`,
    "role add r",
  ])
    servers.ctl(words.split(" "));
  servers.ctl(["role", "grant-permission", "--prefix=true", "r", "readwrite", path]);
  servers.ctl(["user", "grant-role", "u", "r"]);
  servers.ctl(["auth", "enable"]);
  servers.ctl_args = ["--user", "root:other"];
  writeFileSync(s.file("password"), secret);
  const seen = { looks: 0, leaks: new Set<string>() };
  const look = (): void => {
    seen.looks++;
    for (const { pid, comm } of all_processes())
      for (const name of comm === "stamper" || comm === "sh" ? ["cmdline", "environ"] : ["cmdline"])
        if (read(`/proc/${pid}/${name}`).includes(secret)) seen.leaks.add(`${comm} ${name}`);
    for (const { outer } of s.cast.all)
      for (const { pid, comm } of descendants(outer).filter((one) => /^(MainThread|lh-)/.test(one.comm)))
        for (const file of written_by(pid)) seen.leaks.add(`${comm} writes ${file}`);
  };
  const home = mkdtempSync(join(tmpdir(), "leasehold-home-"));
  t.after(() => rmSync(home, { recursive: true }));
  const env = { HOME: home, TMPDIR: home };
  const dump = ["--pre-start", "env; cat /proc/$$/environ; sleep 0.2", "--log-level", "debug"];
  const one = s.start(["--lock-user", "u", ...dump], { env: { ...env, LEASEHOLD_LOCK_PASSWORD: secret } });
  await until(() => (look(), s.cast.runs(one)), "the first app");
  const two = s.start(["--lock-user", "u", "--lock-password-file", s.file("password"), ...dump], { env });
  await two.line(/^waiting/);
  one.signal("SIGKILL", one.controller); // its lock is given back by the release program, with the password
  await until(
    () => (look(), s.cast.runs(two)),
    "the second app",
    () => s.cast.story(),
  );
  await one.exited();
  assert.ok(seen.looks > 5);
  assert.deepEqual([...seen.leaks], []);
  assert.deepEqual(readdirSync(home), []);
  for (const { stdout, stderr } of [one, two]) assert.ok(!`${stdout}${stderr}`.includes(secret));
  await one.line(/released after the controller's death/);
});

/** Files on a disk that a process has open for writing. */
function written_by(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const file = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const flags = /^flags:\s*(\d+)/m.exec(read(`/proc/${pid}/fdinfo/${fd}`))?.[1] ?? "0";
      const to_write = (Number.parseInt(flags, 8) & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
      return to_write && /^\/(?!dev\/|proc\/|memfd:)/.test(file) ? [file] : [];
    });
  } catch {
    return []; // it has ended
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return ""; // it has ended
  }
}
