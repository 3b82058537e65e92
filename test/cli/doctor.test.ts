import assert from "node:assert/strict";
import { test } from "node:test";
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

async function said(facts: Partial<Facts>, flags: Parameters<typeof load_settings>[0] = { volume: ["/v"] }) {
  const all = diagnose({ ...docker, ...facts }, await load_settings(flags, {}));
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

test("on this machine it says something about each, and its help fits", async () => {
  const text = await outcome("doctor", "--volume", "/v");
  assert.match(text, /^(good|weak) +Linux \d/m);
  assert.match(text, /^good +\/proc is this PID namespace's own\.$/m);
});
