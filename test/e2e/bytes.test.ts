// What the app gets: argv and environment byte for byte, less and plus what the controller says; and what the controller gets.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { app, compile, guard, hand } from "../support/hand.ts";

const controller = compile("bench/controller.c", "src/guard/frame.c");

/** Any bytes but NUL as argv and environment: Node passes UTF-8 only, so Python executes the guard. */
function run(argv: Buffer[], env: Buffer[], act: string): string[] {
  const script = `
import os, sys
lines = sys.stdin.buffer.read().decode().split("\\n")
env = dict(bytes.fromhex(l[1:]).split(b"=", 1) for l in lines if l[:1] == "e")
argv = [bytes.fromhex(l[1:]) for l in lines if l[:1] == "a"]
os.execve(sys.argv[1], [b"leasehold", b"guard", sys.argv[2].encode(), b"5000", b"--"] + argv, env)`;
  const input = [
    ...env.map((e) => `e${e.toString("hex")}`),
    ...argv.map((a) => `a${a.toString("hex")}`),
  ].join("\n");
  const { stdout, status, stderr } = spawnSync("python3", ["-c", script, guard, controller], {
    input,
    encoding: "latin1",
    maxBuffer: 1 << 26,
  });
  assert.equal(status, act === "argv" ? 0 : 3, stderr);
  return stdout.trimEnd().split("\n");
}

const strange = [
  Buffer.from(""),
  Buffer.from("two\nlines and a trailing newline\n"),
  Buffer.from([0xff, 0xfe, 0x80, 0x01]),
  Buffer.from("-- --help"),
  Buffer.from("--"),
  Buffer.from("'\"$(id)`\\*"),
  Buffer.alloc(131_071, "x"), // the kernel's limit for one: 128 KiB with its NUL
];

test("argv reaches the app byte for byte: newlines, empty, not UTF-8, 128 KiB", () => {
  const seen = run([Buffer.from(app), Buffer.from("argv"), ...strange], [], "argv");
  assert.deepEqual(
    seen,
    strange.map((argument) => `${argument.toString("hex")}.`),
  );
});

test("the environment reaches the app byte for byte, in its order", () => {
  const env = strange.map((value, i) => Buffer.concat([Buffer.from(`V${i}=`), value.subarray(0, 131_000)]));
  const seen = run(
    [app, "env", "exit", "3"].map((word) => Buffer.from(word)),
    env,
    "env",
  );
  assert.deepEqual(
    seen,
    env.map((entry) => `${entry.toString("hex")}.`),
  );
});

test("the controller takes variables away and puts some in", async (t) => {
  const h = await hand(t, {
    controller: [
      "--unset",
      "LEASEHOLD_LOCK",
      "--unset",
      "NOT_THERE",
      "--set",
      "LEASEHOLD_TOKEN=7",
      "--set",
      "SEEN=new",
    ],
    env: { PATH: process.env.PATH, LEASEHOLD_LOCK: "zk://a/b", LEASEHOLD_LOCK_2: "stays", SEEN: "old" },
    app: ["env"],
  });
  await h.exit;
  const lines = h.stdout().split("\n");
  for (const line of ["LEASEHOLD_TOKEN=7", "SEEN=new", "LEASEHOLD_LOCK_2=stays"])
    assert.ok(lines.includes(line), line);
  assert.equal(h.stdout().includes("zk://"), false);
  assert.equal(h.stdout().includes("SEEN=old"), false);
});

test("the controller may give another argv", async (t) => {
  const h = await hand(t, { controller: ["--argv", "echo", "--argv", "from the\ntemplate"], app: ["false"] });
  assert.equal((await h.exit).code, 0);
  assert.equal(h.stdout(), "from the\ntemplate\n");
});

// What is meant for the app would stop or blind the controller.
const meant_for_the_app = {
  NODE_OPTIONS: "--inspect-brk=127.0.0.1:0",
  LD_PRELOAD: "/nowhere/at/all.so",
  LEASEHOLD_PORT: "tcp://10.0.0.1:8080",
  LEASEHOLD_SERVICE_HOST: "10.0.0.1",
  LEASEHOLD_PORT_8080_TCP_ADDR: "10.0.0.1",
};

test("NODE_OPTIONS, LD_PRELOAD and a Kubernetes service named leasehold: the app gets them, the controller starts", async (t) => {
  const h = await hand(t, {
    controller: [],
    env: {
      PATH: process.env.PATH,
      HOME: "/",
      SECRET: "x",
      https_proxy: "http://127.0.0.1:1",
      ...meant_for_the_app,
    },
    app: [app, "env", "exit", "0"],
  });
  assert.equal((await h.exit).code, 0);
  const seen = h
    .stdout()
    .trim()
    .split("\n")
    .map((line) => Buffer.from(line, "hex").toString());
  for (const [name, value] of Object.entries(meant_for_the_app))
    assert.ok(seen.includes(`${name}=${value}`), name);
  const { env } = await h.event("controller");
  const ours = [
    "HOME",
    "LEASEHOLD_PORT",
    "LEASEHOLD_PORT_8080_TCP_ADDR",
    "LEASEHOLD_SERVICE_HOST",
    "PATH",
    "https_proxy",
  ];
  assert.ok(Array.isArray(env));
  // PWD is the shell's that starts the test's controller
  const given = env.filter(
    (name: string) => !name.startsWith("LEASEHOLD_TEST_") && name !== "PWD" && name !== "_",
  );
  assert.deepEqual(given, ours);
});

test("the other subcommands start, too, with what is meant for the app", () => {
  const bin = join(import.meta.dirname, "../../bin/leasehold");
  const env = { PATH: process.env.PATH, ...meant_for_the_app };
  const { status, stderr } = spawnSync(bin, ["--version"], { env, encoding: "utf8", timeout: 20_000 });
  assert.deepEqual([status, stderr], [0, ""]);
});
