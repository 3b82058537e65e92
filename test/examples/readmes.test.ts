// Each example's README, command by command: what needs nothing that isn't here is run as it stands there; of a `leasehold run` what it is
// told is read; and of all others it is known which test does it, or why none does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Contenders } from "../support/contenders.ts";
import { guard } from "../support/hand.ts";

const root = join(import.meta.dirname, "../..");

/** By a command's first words; the test that does the same, or what is lacking. */
const elsewhere: Readonly<Record<string, string>> = {
  "apt-get install": "tools/debian.ts",
  "modprobe nbd": "vm/attach.long.ts",
  "./nbd.sh attach": "vm/attach.long.ts",
  "mkfs.ext4 /dev/nbd0": "vm/attach.long.ts",
  "umount /srv/shop": "vm/attach.long.ts",
  "podman build": "container/dockerfile.long.ts",
  "podman run": "container/databases.long.ts",
  "docker compose": "container/databases.test.ts: podman, the same image, entry point and environment",
  "redis-cli -p": "container/databases.test.ts",
  "leasehold volume init": "examples/local-disks.test.ts",
  "leasehold restore": "examples/local-disks.test.ts",
  "restic init": "examples/local-disks.test.ts",
  "kubectl ": "no cluster here",
  "curl -X POST": "no Marathon here",
  "nomad job run": "no Nomad here",
  "APP_BIND=:6379": "examples/examples.test.ts",
  "tar -C /": "examples/systemd.test.ts",
  "install -D": "examples/systemd.test.ts",
  "systemctl ": "no systemd as PID 1 here",
  "journalctl ": "no systemd as PID 1 here",
  "FROM ": "container/images/singleton",
  "COPY ": "container/images/singleton",
  "ENTRYPOINT ": "container/images/singleton",
  "CMD ": "container/images/singleton",
  "STOPSIGNAL ": "container/images/singleton",
  "[shop]": "vm/attach.long.ts",
  "exportname ": "vm/attach.long.ts",
  "flush ": "vm/attach.long.ts",
};

/** Indented by four; a backslash goes on in the next line. */
function commands(readme: string): string[] {
  const blocks = readFileSync(readme, "utf8").replaceAll(/\\\n */g, "");
  return [...blocks.matchAll(/^ {4}(\S.*)$/gm)]
    .map(([, line = ""]) => line.replace(/(^|\s+)#.*$/, ""))
    .filter((line) => line !== "");
}

/** In a shell, with `leasehold` in its PATH. */
function shell(command: string, folder: string): string {
  const env = { PATH: `${dirname(guard)}:${process.env.PATH}` };
  return execFileSync("sh", ["-ec", command], { cwd: folder, env, encoding: "utf8" });
}

for (const file of [...globSync("examples/*/README.md", { cwd: root }), "container/README.md"].toSorted()) {
  test(`${file}: every command is run, read, or known not to be`, () => {
    const readme = join(root, file);
    for (const command of commands(readme)) {
      for (const [path] of command.matchAll(/(?<=[ @]|^)(examples|container)\/[\w./-]+/g))
        assert.ok(existsSync(join(root, path)), `${path} of: ${command}`);
      if (command.startsWith("leasehold explain ")) assert.ok(shell(command, root).length > 100, command);
      else if (command.startsWith("leasehold config check ")) shell(command, dirname(readme));
      else if (command.startsWith("leasehold run --config "))
        shell(
          command.replace("leasehold run", "leasehold config check").replace(/ -- .*/, ""),
          dirname(readme),
        );
      else if (command.startsWith("leasehold run --fence ")) assert.match(file, /fencing/);
      else
        assert.ok(
          Object.keys(elsewhere).some((beginning) => command.startsWith(beginning)),
          `nobody runs: ${command}`,
        );
    }
  });
}

test("the tests that are named are there", () => {
  for (const where of Object.values(elsewhere)) {
    const [file = ""] = where.split(":");
    if (!where.startsWith("no "))
      assert.ok(existsSync(join(root, file)) || existsSync(join(root, "test", file)), where);
  }
});

test("README.md: the five lines on a directory of one's own, as they stand there", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-readme-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const lines = commands(join(root, "README.md")).filter((line) =>
    /^bin\/leasehold .*(\/tmp\/try|explain)/.test(line),
  );
  assert.deepEqual(
    lines.map((line) => line.split(" ")[1]),
    ["volume", "run", "status", "leader", "explain"],
  );
  const [init = "", run = "", status = "", leader = "", explain = ""] = lines.map((line) =>
    line.replaceAll("/tmp/try", folder).replace("bin/leasehold", "leasehold"),
  );
  shell(init, root);
  const cast = new Contenders(t);
  const [, lock = "", node = "", script = ""] = /--lock (\S+) --node (\S+) -- sh -c '(.*)'$/.exec(run) ?? [];
  const one = cast.start({ lock, node, app: ["sh", "-c", script] });
  await one.line(/starting the app|took the lock/);
  await cast.holder();
  assert.match(shell(status, root), /\ba\b/);
  assert.match(shell(`timeout 3 ${leader} || [ $? = 124 ]`, root), /\ba\b/);
  assert.ok(shell(explain, root).length > 100);
});
