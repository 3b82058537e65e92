import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type AppFacts, read_app } from "../../src/cli/doctor/app.ts";
import type { Facts } from "../../src/cli/doctor/facts.ts";
import { diagnose } from "../../src/cli/doctor/judge.ts";
import { load_settings } from "../../src/config/load.ts";
import { outcome } from "./outcome.ts";

/** As Docker gives it to root, but for what it takes away. */
const docker: Facts = {
  kernel: "6.1.0-13-amd64",
  uid: 0,
  proc_pid: 7,
  pid: 7,
  first: "leasehold",
  capabilities: 0xa80425fbn | (1n << 23n),
  no_new_privs: false,
  lists_children: true,
  rtprio: 0,
  memlock_bytes: 8 << 20,
  cpus: null,
  pids_max: null,
  oom_group: false,
};

const an_app: AppFacts = { command: ["mysqld"], program: "good", mismatch: null, data: null };

async function said(
  facts: Partial<Facts>,
  flags: Parameters<typeof load_settings>[0] = { volume: ["/v"] },
  app: Partial<AppFacts> = {},
) {
  const all = diagnose({ ...docker, ...facts }, await load_settings(flags, {}), { ...an_app, ...app });
  return all.filter(({ how }) => how !== "good").map(({ how, sentence }) => `${how} ${sentence}`);
}

test("where nothing is lacking, nothing is said", async () => {
  assert.deepEqual(await said({}), []);
  assert.deepEqual(await said({ uid: 1000, capabilities: 0n, rtprio: 1 }), []);
});

const cases: readonly (readonly [what: string, facts: Partial<Facts>, sentence: RegExp])[] = [
  ["an old kernel", { kernel: "4.19.0" }, /^weak Linux 4\.19\.0 has no pidfds.*; take 5\.3 or later$/],
  ["no /proc", { proc_pid: null }, /^wrong \/proc is not mounted; mount it$/],
  ["a foreign /proc", { proc_pid: 4711 }, /^wrong \/proc is that of another PID namespace; mount its own$/],
  [
    "docker run --init",
    { first: "docker-init" },
    /^weak the first process is docker-init, .*; leave --init out$/,
  ],
  ["a shared PID namespace", { first: "pause" }, /; leave shareProcessNamespace out$/],
  ["a shell before it", { first: "sh" }, /; make it the ENTRYPOINT, with no shell before it$/],
  [
    "CAP_KILL dropped",
    { capabilities: 1n << 23n },
    /^weak CAP_KILL is missing.*the last resort is to end the container; add KILL$/,
  ],
  [
    "no priority",
    { capabilities: 0xa80425fbn },
    /^weak no real-time priority: .*; add SYS_NICE or ulimit rtprio 1/,
  ],
  [
    "no memlock",
    { memlock_bytes: 65_536 },
    /^weak the guard's memory can't be locked.*; ulimit memlock 1048576$/,
  ],
  [
    "a fifth of a core",
    { cpus: 0.2 },
    /^weak 0\.2 of a processor .*; allow one, or lengthen --margin, which is 1\.5 s$/,
  ],
  ["few processes", { pids_max: 20 }, /^weak at most 20 processes .*; allow 64 more than the app needs$/],
  ["oom.group", { oom_group: true }, /^weak memory\.oom\.group is 1: .* lease's end; set it to 0/],
];
for (const [what, facts, sentence] of cases) {
  test(`${what} is told, with the remedy`, async () => {
    const lines = await said(facts);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", sentence);
  });
}

test("CAP_KILL missing and not the first process: leasehold would refuse", async () => {
  const lines = await said({ capabilities: 1n << 23n, first: "tini" });
  assert.match(
    lines.join("\n"),
    /^wrong CAP_KILL is missing.*; add KILL, or make leasehold the first process$/m,
  );
});

test("no volume is told", async () => {
  assert.match((await said({}, {})).join("\n"), /only the lock protects the data; give --volume PATH$/);
});

const apps: readonly (readonly [what: string, app: Partial<AppFacts>, sentence: RegExp])[] = [
  ["no command", { command: [] }, /^weak no command was given, so nothing is said of it; give it after --$/],
  [
    "a wrong entry point",
    { program: "missing" },
    /^wrong "mysqld" is not in this image \(127\); give the image's own/,
  ],
  [
    "no permission",
    { program: "not-executable" },
    /^wrong "mysqld" is there and can't be executed \(126\); chmod \+x/,
  ],
  [
    "a script of another system",
    { program: { interpreter: "/bin/bash\r" } },
    /^wrong the first line of "mysqld" names "\/bin\/bash\\r", which is not in this image \(127\); install that/,
  ],
  ["another app's command", { mismatch: "the command runs x; give y" }, /^wrong the command runs x; give y$/],
  [
    "another app's data",
    { data: { refusal: "it holds data of x; give y", remove: [], warnings: [], notes: [] } },
    /^wrong it holds data of x; give y$/,
  ],
  [
    "data that can't be seen",
    { data: { unseen: "it can't be looked at" } },
    /^weak it can't be looked at; run doctor as/,
  ],
];
for (const [what, app, sentence] of apps)
  test(`${what} is told, with the remedy, before anything is started`, async () => {
    const lines = await said({}, undefined, app);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", sentence);
  });

test("the command is looked for as the guard executes it, the data as the app would find it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-doctor-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = (name: string, line: string, mode: number): string => {
    writeFileSync(join(folder, name), line, { mode });
    return join(folder, name);
  };
  const settings = await load_settings({ profile: "postgres", data: folder }, {});
  const program_of = async (command: string) => (await read_app([command], settings)).program;
  assert.equal(await program_of("sh"), "good");
  assert.equal(await program_of("no-such-program"), "missing");
  symlinkSync("loop", join(folder, "loop"));
  assert.equal(await program_of(join(folder, "loop")), "missing");
  assert.equal(await program_of(script("plain", "#!/bin/sh\n", 0o644)), "not-executable");
  assert.equal(await program_of(script("run", "#!/bin/sh -e\n", 0o755)), "good");
  assert.deepEqual(await program_of(script("crlf", "#!/bin/sh\r\n", 0o755)), { interpreter: "/bin/sh\r" });
  const { mismatch, data } = await read_app(["mysqld"], settings);
  assert.match(mismatch ?? "", /the command runs mysqld, and the profile is postgres/);
  assert.ok(data && "refusal" in data);
  assert.deepEqual([data.refusal, data.notes.length], [null, 1]);
  script("WiredTiger", "", 0o600);
  const other = await read_app(["postgres"], settings);
  assert.match((other.data && "refusal" in other.data && other.data.refusal) || "", /holds data of MongoDB/);
});

test("on this machine it says something about each, and its help fits", async () => {
  const text = await outcome("doctor", "--volume", "/v");
  assert.match(text, /^(good|weak) +Linux \d/m);
  assert.match(text, /^good +\/proc is this PID namespace's own\.$/m);
});
