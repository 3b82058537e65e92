// A store that leasehold doesn't know, and that can't be reached or doesn't let it in: that is never taken for one without a backup.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { local_disks } from "../support/local-disks.ts";
import { local_redis } from "../support/local-redis.ts";
import { requires } from "../support/requires.ts";
import { all_processes, type Process } from "../support/processes.ts";

test("restic: the wrong password, no repository, a server that never answers: 82 and why, the app isn't started; a backup fails beside it", async (t) => {
  if (!requires(t, "redis-server", "redis-cli", "restic")) return;
  const disks = await local_disks(t, "restic", "leasehold.yaml");
  const server = await local_redis(disks);
  const [password, env] = ["restic.password", "restic.env"].map((name) => join(disks.etc, name));
  assert.ok(password !== undefined && env !== undefined);
  const settings = readFileSync(env, "utf8");
  const of_this_test = ({ pid, comm }: Process): boolean =>
    comm === "restic" &&
    existsSync(`/proc/${pid}/environ`) &&
    readFileSync(`/proc/${pid}/environ`, "latin1").includes(disks.root);
  const mute = createServer().listen(0, "127.0.0.1");
  t.after(() => mute.close());
  await new Promise((resolve) => mute.once("listening", resolve));
  const address = mute.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const at = (repository: string): string =>
    settings.replace(/^RESTIC_REPOSITORY=.*$/m, `RESTIC_REPOSITORY=${repository}`);
  const right = (): void => {
    writeFileSync(password, "secret\n");
    writeFileSync(env, settings);
  };
  const wrongs: readonly [how: () => void, told: RegExp, limits?: readonly string[]][] = [
    [() => writeFileSync(password, "guessed\n"), /wrong password or no key found/],
    [
      () => writeFileSync(env, at(join(disks.root, "nowhere"))),
      /unable to open config file|repository does not exist/,
    ],
    [
      () => writeFileSync(env, at(`rest:http://127.0.0.1:${port}/`)),
      /it was killed: it took longer than 3 s/,
      ["--restore-timeout", "3s"],
    ],
  ];

  const a = await disks.start("a", {
    ...server,
    args: [...(server.args ?? []), "--restore", "never"],
  });
  for (const number of [1, 2]) server.insert(number);
  await disks.back_up(a);
  for (const [how, told, hangs] of wrongs) {
    if (hangs) continue; // bad-backups.test.ts has it
    how();
    await assert.rejects(disks.back_up(a), told);
    right();
  }
  server.insert(3); // it has gone on
  await disks.back_up(a);
  await disks.destroy(a);

  for (const [how, told, limits = []] of wrongs) {
    how();
    const refused = disks.begin("b", { ...server, args: [...(server.args ?? []), ...limits] });
    assert.equal(await refused.exited(), 82, refused.story());
    assert.match(refused.story(), told);
    assert.doesNotMatch(refused.story(), /there is no backup/);
    assert.ok(!existsSync(disks.data("b")));
    right();
  }
  assert.deepEqual(all_processes().filter(of_this_test), []);
  const b = await disks.start("b", server);
  assert.deepEqual(server.stored(), [1, 2, 3], b.story());
  await disks.stop(b);
});
