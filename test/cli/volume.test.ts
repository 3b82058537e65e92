// leasehold volume init|adopt|show|check, on real file systems.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { identity_file, leasehold_folder } from "../../src/storage/identity.ts";
import { bindfs, mounts_folder, sh, tmpfs } from "../support/file-systems.ts";
import { requires } from "../support/requires.ts";
import { outcome } from "./outcome.ts";

const volume = (...argv: string[]): Promise<string> => outcome("volume", ...argv);
const uuid = "[0-9a-f]{8}-[0-9a-f-]{27}";

test("init labels an empty volume, once; show and check say who it is", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  assert.match(
    await volume("init", path, "--label", "mysql", "--ttl", "10s"),
    new RegExp(`^the volume ${path} is ${uuid}\n$`),
  );
  assert.deepEqual(readdirSync(join(path, leasehold_folder)).toSorted(), ["0.claim", "volume.json"]);
  const again = await volume("init", path);
  assert.match(
    again,
    new RegExp(`^74 the volume ".*" has an identity already, ${uuid} \\(mysql\\); nothing is left to do$`),
  );
  const shown = await volume("show", path);
  assert.match(shown, new RegExp(`^id        ${uuid}\nlabel     mysql\ncreated   20.*\nlease     10s, `));
  assert.match(shown, /^mount     tmpfs from "volume" at ".*\/v", rw,relatime$/m);
  assert.match(shown, /^counter   0\nclaim 0   by leasehold volume init$/m);
  const json = JSON.parse(await volume("show", path, "--format", "json")) as {
    counter: string;
    identity: { tv_ms: number };
  };
  assert.deepEqual([json.counter, json.identity.tv_ms], ["0", 10_000]);
  const checked = await volume("check", `${path},type=tmpfs,min-free=1kB`);
  assert.match(
    checked,
    /^works     written, flushed and read back, in .*\ncopies    no other.*\nfree      .* MB, and min-free is 1 kB\nlease     tmpfs; who looks sees/m,
  );
  assert.doesNotMatch(checked, /^74 /m);
  assert.match(
    await volume("check", `${path},type=nfs`),
    /\nwrong     see the last line\n74 the volume ".*" is tmpfs from "volume", and its type has to be nfs; mount the right one$/,
  );
});

test("a volume that holds data is adopted, not initialised; PostgreSQL's at the mount point is neither", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  writeFileSync(join(path, "ibdata1"), "precious");
  assert.match(
    await volume("init", path),
    /^74 .* holds data already; leasehold volume adopt labels it as it is$/,
  );
  assert.match(
    await volume("check", path),
    /74 .* holds data but no identity; make sure that it is the right one, then leasehold volume adopt$/,
  );
  writeFileSync(join(path, "PG_VERSION"), "15");
  assert.match(
    await volume("adopt", path),
    /^74 .* has PostgreSQL's data directly at the mount point; move it into a directory/,
  );
  rmSync(join(path, "PG_VERSION"));
  assert.match(await volume("adopt", path), /^the volume .* is /);
  assert.equal(readFileSync(join(path, "ibdata1"), "utf8"), "precious");
});

test("a plain directory needs --directory, and a mount doesn't take it", async (t) => {
  if (!requires(t, "root")) return;
  const folder = mounts_folder(t);
  const path = join(folder, "plain");
  mkdirSync(path);
  assert.match(
    await volume("init", path),
    /^74 .* is only a directory on the container's own file system.*; mount the volume, or give --directory/,
  );
  assert.match(await volume("init", path, "--directory"), /^the volume/);
  assert.match(await volume("check", path), /^mounted   none, it was labelled as a plain directory$/m);
  assert.match(await volume("check", `${path},type=nfs`), /74 .* and its type has to be nfs/);
  assert.match(
    await volume("init", tmpfs(folder, "v"), "--directory"),
    /^74 .* is no plain directory: tmpfs is mounted there/,
  );
});

test("an identity that can't be read is replaced only when asked for", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  await volume("init", path);
  writeFileSync(join(path, identity_file), '{"format":1,');
  assert.match(await volume("show", path), /^74 .* has an identity that is no JSON; restore/);
  assert.match(
    await volume("init", path),
    /^74 .* has an identity that is no JSON; restore .* init --replace$/,
  );
  assert.match(await volume("init", path, "--replace"), /^the volume/);
  assert.match(await volume("check", path), /^identity/m);
});

test("a restored volume gets a new id and a counter that nobody had", async (t) => {
  if (!requires(t, "root")) return;
  const path = tmpfs(mounts_folder(t), "v");
  assert.match(await volume("init", path, "--restored"), /^74 .* has no identity that could be replaced/);
  const first = await volume("init", path, "--label", "a");
  writeFileSync(join(path, "data"), "x");
  const second = await volume("init", path, "--restored");
  assert.match(second, /^the volume/);
  assert.notEqual(second, first);
  const shown = await volume("show", path);
  assert.match(shown, /^label     a$/m);
  assert.match(shown, /^counter   1000000$/m);
});

test("bad paths, labels and durations: one sentence each", async (t) => {
  if (!requires(t, "root")) return;
  const folder = mounts_folder(t);
  const path = tmpfs(folder, "v");
  symlinkSync("nowhere", join(folder, "link"));
  const mistakes: readonly (readonly [argv: string[], sentence: RegExp])[] = [
    [["init", "data"], /^78 the volume "data" has the relative path "data"; write it from \/ on$/],
    [["init", `${path}/../v`], /^78 .* has \. or \.\. in its path/],
    [
      ["init", join(folder, "link")],
      /^74 .* doesn't exist, or is a link that leads nowhere \(ENOENT\); mount it$/,
    ],
    [
      ["init", path, "--label", "a\nb"],
      /^64 --label "a\\nb" is no name: it has no control characters; choose another$/,
    ],
    [["init", path, "--ttl", "10"], /^78 --ttl is "10", without a unit/],
    [["init"], /^64 missing required argument 'path'/],
    [["check"], /^64 no volume is given; give its path, or --config$/],
    [["check", `${path},typ=x`], /^78 .* has the unknown key "typ"; did you mean type\?$/],
    [["show", path], /^74 .* has no identity; leasehold volume init gives it one$/],
    [["init", path, "--lable", "a"], /^64 unknown option '--lable'; did you mean --label\?$/],
  ];
  for (const [argv, sentence] of mistakes) assert.match(await volume(...argv), sentence);
});

test("two required volumes with one id are refused", async (t) => {
  if (!requires(t, "root")) return;
  const folder = mounts_folder(t);
  const [one, two] = [tmpfs(folder, "one"), join(folder, "two")];
  await volume("init", one);
  mkdirSync(two);
  sh('mount --bind "$1" "$2"', one, two);
  const config = join(folder, "l.yaml");
  writeFileSync(config, `volume:\n  - ${one}\n  - ${two}\n`);
  assert.match(
    await volume("check", "--config", config),
    /74 the volumes ".*one" and ".*two" have the same id, .*; require one of them, or give the copy an id/,
  );
});

test("--pair measures how old a view through a second mount is", async (t) => {
  if (!requires(t, "root", "bindfs")) return;
  const folder = mounts_folder(t);
  const first = await bindfs(t, folder, "first");
  const second = join(folder, "second");
  mkdirSync(second);
  await volume("init", first.path);
  sh('mount --bind "$1" "$2"', first.path, second);
  assert.match(
    await volume("check", first.path, "--pair", first.path, "--for", "1s"),
    /74 ".*first" is the same mount as ".*first"; mount the volume a second time/,
  );
  const measured = await volume("check", first.path, "--pair", second, "--for", "3s");
  assert.match(
    measured,
    /^A         \d+(\.\d+)? m?s at most, in \d+ looks after \d+ changes; give --volume …,view-age=\d+(m?s) or more$/m,
  );
  assert.match(measured, /^but       both mounts share one cache/m);
  assert.deepEqual(readdirSync(join(first.under, leasehold_folder)).toSorted(), ["0.claim", "volume.json"]);
});

test("a volume that hangs is said to hang", async (t) => {
  if (!requires(t, "root", "bindfs")) return;
  const { path, daemon } = await bindfs(t, mounts_folder(t), "v");
  await volume("init", path);
  daemon.kill("SIGSTOP");
  const said = await volume("check", `${path},probe=1s/300ms×1`);
  daemon.kill("SIGCONT");
  assert.match(
    said,
    /^hung      see the last line\n74 the volume ".*" gave no answer.* within \d+ ms; look at the server of/m,
  );
});
