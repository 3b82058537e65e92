// What is wrong with a volume, or lies on it that nobody of ours has written, through the real binary: a sentence, the right code,
// and no app; beside one that runs already, no second one. More of each is at its part (test/storage, test/lock, test/config).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { identity_file, leasehold_folder } from "../../src/storage/identity.ts";
import { encode_claim, name_of } from "../../src/storage/lease/format.ts";
import { a_beat, a_claim, uuid } from "../storage/lease/scenes.ts";
import { at_end } from "../support/at-end.ts";
import { type Contender, Contenders, until } from "../support/contenders.ts";
import { ext4, mounts_folder, sh, tmpfs } from "../support/file-systems.ts";
import { refused } from "../support/refusals.ts";
import { requires } from "../support/requires.ts";
import { label } from "../support/volume.ts";
import { jump_for, wallclock } from "../support/wallclock.ts";

const ttl_ms = 3000;
const short = ["--ttl", `${ttl_ms}ms`, "--drain", "200ms"];

/** Removed when the test ends. */
function folder_of(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-bad-"));
  t.after(at_end('rm -rf -- "$1"', folder));
  return folder;
}
/** A directory that is labelled as a volume. */
function labelled(t: TestContext): string {
  const volume = join(folder_of(t), "volume");
  label(volume, ttl_ms);
  return volume;
}
const all = async <T>(cases: readonly T[], one: (its: T) => Promise<void>): Promise<void> =>
  void (await Promise.all(cases.map(one)));
const of = (volume: string): string[] => ["--lock", `file://${volume}`, ...short];

// ---- the path ----

const etcd = ["--lock", "etcd://127.0.0.1:1/a"];
const paths: readonly (readonly [volumes: string[], sentence: RegExp])[] = [
  [["data"], /^--volume "data" has the relative path "data"; write it from \/ on$/],
  [["/mnt/../data"], /has \. or \.\. in its path; write the path that it leads to$/],
  [["/mnt/a", "/mnt/a/b"], /"\/mnt\/a\/b" lies below "\/mnt\/a"; require volumes that are mounted beside/],
];
test("a path that is relative, has .., lies below another required volume: 78", (t) =>
  all(paths, ([volumes, sentence]) =>
    refused(t, [...etcd, ...volumes.flatMap((volume) => ["--volume", volume])], 78, sentence),
  ));

test("a path that is a file, a link that leads nowhere, and nothing at all: 74", async (t) => {
  const folder = folder_of(t);
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("file"), "");
  symlinkSync(at("nowhere"), at("link"));
  const nowhere = /doesn't exist, or is a link that leads nowhere \(ENOENT\); mount it$/;
  const says = { file: /is a file, not a directory; name the directory where it is mounted$/, link: nowhere };
  await all(Object.entries({ ...says, nothing: nowhere }), ([name, sentence]) =>
    refused(t, of(at(name)), 74, sentence),
  );
});

// ---- the identity ----

const identities: Record<string, readonly [content: string | Buffer | null, sentence: RegExp]> = {
  missing: [null, /has no identity; leasehold volume init gives it one$/],
  empty: ["", /has an identity that is empty; restore/],
  lacking: [
    "{}",
    /has an identity that .*; restore \.leasehold\/volume\.json, or make sure that it is the right/,
  ],
  newer: ['{"format":2}', /has format 2, and this leasehold knows 1; restore/],
  huge: [Buffer.alloc(500_000, " "), /has an identity that is longer than 4096 bytes; restore/],
};
test("an identity that is missing, corrupt, none at all or not to be read: 74", async (t) => {
  if (!requires(t, "root", "setpriv")) return;
  const folder = mounts_folder(t);
  await all(Object.entries(identities), async ([name, [content, sentence]]) => {
    const volume = tmpfs(folder, name);
    mkdirSync(join(volume, leasehold_folder));
    if (content !== null) writeFileSync(join(volume, identity_file), content);
    await refused(t, of(volume), 74, sentence);
  });
  const volume = tmpfs(folder, "unreadable", "size=1m,mode=755");
  const file = join(volume, identity_file);
  mkdirSync(file, { recursive: true });
  await refused(t, of(volume), 74, /failed in reading its identity \(read: EISDIR\)/);
  rmSync(file, { recursive: true });
  label(volume, ttl_ms);
  chmodSync(file, 0);
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  await refused(t, of(volume), 74, /may not be read by this user: .*EACCES.*; change its owner/, {}, nobody);
});

test("two required volumes with one identity, and a copy that is mounted beside the original: 74", async (t) => {
  if (!requires(t, "root", "mkfs.ext4")) return;
  const folder = mounts_folder(t);
  const volume = ext4(folder, "volume");
  label(volume, ttl_ms);
  const copy = join(folder, "copy");
  mkdirSync(copy);
  sh('sync; cp "$1.image" "$2.image"; mount -o loop "$2.image" "$2"', volume, copy);
  await refused(
    t,
    of(volume),
    74,
    /has the same id as the one mounted at ".*\/copy" from .*: one is a copy of the other; unmount the copy, or/,
  );
  const both = [...etcd, "--volume", volume, "--volume", copy, "--when-busy", "exit"];
  await refused(
    t,
    both,
    74,
    /has the same id as the one mounted at|have the same id, .*; require one of them/,
  );
});

test("PostgreSQL's data at the mount point: 74", async (t) => {
  const volume = labelled(t);
  writeFileSync(join(volume, "PG_VERSION"), "15\n");
  await refused(
    t,
    of(volume),
    74,
    /has PostgreSQL's data directly at the mount point, .*; move it into a directory on the volume/,
  );
});

// ---- what lies beside the lock ----

const beat = name_of.beat(uuid(1));
const whole = encode_claim(a_claim({ instance: uuid(1), claim: 5n }));
const contents: Record<string, string | Buffer> = {
  foreign: "hello",
  huge: Buffer.alloc(20_000_000, "x"),
  torn: whole.subarray(0, 100),
  empty: "",
};
test("a beat or a claim that is foreign, huge, torn or empty: nothing is started, 75", (t) =>
  all(
    Object.values(contents).flatMap((content) => [beat, "5.claim"].map((name) => ({ name, content }))),
    async ({ name, content }) => {
      const volume = labelled(t);
      writeFileSync(join(volume, leasehold_folder, name), content);
      const says = /^the lock is held by somebody whose name is not known$/;
      await refused(t, [...of(volume), "--when-busy", "exit"], 75, says);
    },
  ));

test("a beat that can't be read says what to do about it, and nothing is started until it is gone", async (t) => {
  const volume = labelled(t);
  writeFileSync(join(volume, leasehold_folder, beat), "hello");
  const contenders = new Contenders(t);
  const a = contenders.start({ lock: `file://${volume}`, node: "a", args: short });
  await a.line(
    new RegExp(`${beat} is torn or foreign, and nobody is taken for silent because of it: .*, remove it$`),
  );
  assert.deepEqual(contenders.lives(), []);
  rmSync(join(volume, leasehold_folder, beat));
  await contenders.holder();
});

test("a hundred thousand foreign, empty and old beats and claims: 78, what to do, and nothing is started", async (t) => {
  if (!requires(t, "root")) return;
  const volume = tmpfs(mounts_folder(t), "volume", "size=500m,nr_inodes=0");
  label(volume, ttl_ms);
  const at = (name: string): string => join(volume, leasehold_folder, name);
  for (let n = 0; n < 50_000; n++) {
    writeFileSync(at(`${randomUUID()}.beat`), n % 2 === 0 ? "" : "hello");
    writeFileSync(at(`${n + 1}.claim`), n % 2 === 0 ? "" : whole);
  }
  await refused(
    t,
    of(volume),
    78,
    /holds more than 1000 files, or more than 1 MiB; remove what isn't leasehold's from it, with every contender stopped$/,
  );
});

/** One runs, the other one waits. */
async function pair(
  t: TestContext,
  volume: string,
  others: readonly string[] = short,
): Promise<{ contenders: Contenders; a: Contender; b: Contender }> {
  const contenders = new Contenders(t);
  const a = contenders.start({ lock: `file://${volume}`, node: "a", args: short });
  await contenders.holder();
  const b = contenders.start({ lock: `file://${volume}`, node: "b", args: others });
  await b.line(/waiting: the lock is held by a/);
  return { contenders, a, b };
}

test("beside one that runs", { concurrency: true }, async (t) => {
  await Promise.all([
    t.test(
      "beats and claims of all kinds appear while an app runs: at most it ends, and never is there a second one",
      async (t) => {
        const volume = labelled(t);
        const { contenders } = await pair(t, volume);
        const at = (name: string): string => join(volume, leasehold_folder, name);
        for (const content of Object.values(contents)) {
          writeFileSync(at(name_of.beat(randomUUID())), content);
          await sleep(ttl_ms / 6);
        }
        const { claim, ...rest } = a_beat({ instance: uuid(2), claim: 77n });
        writeFileSync(at(name_of.beat(uuid(2))), JSON.stringify({ ...rest, claim: String(claim) }));
        assert.equal(contenders.lives().length, 1, contenders.story());
        for (const [n, content] of Object.values(contents).entries())
          writeFileSync(at(`${100 + n}.claim`), content);
        await sleep(1.3 * ttl_ms);
        assert.equal(contenders.overlap_ms(), 0, contenders.story());
        assert.equal(new Set(contenders.lives().map(({ token }) => token)).size, 1, contenders.story());
      },
    ),
    t.test(
      "another length of the lease in the configuration than on the volume, and another one there later: waited for by what each has said",
      async (t) => {
        const volume = labelled(t);
        const too_long = ["--lock", `file://${volume}`, "--ttl", "6s", "--drain", "200ms"];
        await refused(
          t,
          too_long,
          78,
          /^a lease of 3 s is too short: loss grace 1\.2 s, drain 200 ms, .*; that length was granted, .*: lengthen it/,
        );
        const longer = ["--ttl", "4s", "--loss-grace", "0", "--drain", "200ms"];
        const { contenders, a, b } = await pair(t, volume, longer);
        // An operator shortens it: who claims from then on lives by that, and waits by what the holder has recorded.
        const file = join(volume, identity_file);
        const text = readFileSync(file, "utf8");
        assert.match(text, /"tv_ms":3000/);
        writeFileSync(file, text.replace('"tv_ms":3000', '"tv_ms":2500'));
        a.vanish();
        await contenders.holder(a);
        assert.ok((contenders.gaps_ms()[0] ?? 0) > ttl_ms / 2, contenders.story());
        b.vanish();
        const c = contenders.start({ lock: `file://${volume}`, node: "c", args: longer });
        await until(
          () => contenders.runs(c),
          "c's app",
          () => contenders.story(),
        );
        assert.equal(contenders.overlap_ms(), 0, contenders.story());
      },
    ),
    t.test(
      "the wall clock goes back and forth by an hour: the app is untouched, and nobody else's is started",
      async (t) => {
        const volume = labelled(t);
        const clock = wallclock(t);
        const contenders = new Contenders(t);
        const start = (node: string): Contender =>
          contenders.start({ lock: `file://${volume}`, node, args: short, guard: clock.guard });
        const a = start("a");
        await contenders.holder();
        await start("b").line(/waiting: the lock is held by a/);
        const { app } = a;
        await jump_for(clock, 1.3 * ttl_ms, Math.random);
        assert.equal(a.app, app, contenders.story());
        assert.equal(contenders.lives().length, 1, contenders.story());
      },
    ),
  ]);
});
