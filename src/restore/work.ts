// Runs in a job of its own, which is all that ever touches data or store: it may hang, and is killed with the lease.

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { format_instant } from "../config/instant.ts";
import { describe_size } from "../config/sizes.ts";
import { quoted } from "../config/quoted.ts";
import type { Time } from "../core/time.ts";
import { complete_by, whole_newest_first } from "../backup/catalogue.ts";
import { CommandFailed, run_command } from "../backup/command.ts";
import { NoBackup } from "../backup/make.ts";
import { describe } from "../backup/manifest.ts";
import { Meter } from "../backup/meter.ts";
import { read, Store } from "../backup/store.ts";
import { BadArchive, unpack } from "../backup/unpack.ts";
import { fresh_uuid } from "../guard/kernel.ts";
import { guard_path } from "../guard/job.ts";
import { check_volume } from "../storage/check.ts";
import { decode_identity, identity_file } from "../storage/identity.ts";
import { sweep } from "./exchange.ts";
import { back_up, type MakeMeter, type Note, type OpenStore, prune } from "./back-up.ts";
import { Unreadable } from "./journal.ts";
import { place_of } from "./place.ts";
import type { Request, RestoreRequest, Said, StoreAt, Work } from "./request.ts";
import { NoRestore, plan, restore, type RestoreOptions } from "./restore.ts";

type Say = (said: Said) => void;

/** Does what is asked for, and says it. Rejects only for a defect. */
export async function work(request: Request, say: Say, time: () => Promise<Time>): Promise<void> {
  try {
    say({ done: await answer(request, say, time) });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const expected = [NoRestore, NoBackup, NoStore, Unreadable, BadArchive, CommandFailed];
    if (expected.some((kind) => error instanceof kind)) say({ failed: error.message });
    else if ("syscall" in error) say({ failed: `${error.message}; see what is there` });
    else throw error;
  }
}

async function answer(
  request: Request,
  say: Say,
  time: () => Promise<Time>,
): Promise<Work[keyof Work]["answer"]> {
  const store = (at: StoreAt): Promise<Store> => open_store(at, time);
  const note = (sentence: string): void => say({ note: sentence });
  const meter = (doing: string): Meter => new Meter(doing, (progress) => say({ progress }));
  switch (request.do) {
    case "restore":
      return restore(options_of(request, store, note, meter));
    case "plan":
      return dry_run(options_of({ ...request, volume_id: id_at(request.volume) }, store, note, meter));
    case "unpack":
      return take_out(request, store, note, meter);
    case "backup":
      return back_up(request, store, note, meter);
    case "list":
      return { backups: (await store(request.store)).list() };
    case "verify":
      return { verified: await verify(await store(request.store), request.ids, meter) };
    case "prune":
      return { pruned: prune(await store(request.store), request.retention, request.dry_run) };
    case "sweep":
      return { swept: sweep(place_of(request.data)) };
  }
}

/** The store isn't there, isn't the right one, or doesn't work. */
class NoStore extends Error {}

async function open_store({ requirement, app }: StoreAt, time: () => Promise<Time>): Promise<Store> {
  const instance = fresh_uuid();
  const report = await check_volume(requirement, {
    expected_id: null,
    at: "start",
    instance,
    time: await time(),
  });
  if (report.verdict !== "ok") throw new NoStore(`the backup store can't be used: ${report.because}`);
  return new Store(requirement.path, app);
}

function options_of(request: RestoreRequest, store: OpenStore, note: Note, meter: MakeMeter): RestoreOptions {
  const { data, policy, first_boot, token, node, volume_id, store: at } = request;
  let opened: Promise<Store> | null = null;
  return {
    ...{ data, policy, first_boot, token, node, volume_id, note, meter },
    ...commands_of(request, policy.when.kind === "now" ? policy.when.target_ms : null, note),
    open_store() {
      if (at === null) return Promise.resolve(null);
      opened ??= store(at);
      return opened;
    },
    flush,
    at: () => {},
  };
}

function commands_of(
  { load, check }: Pick<RestoreRequest, "load" | "check">,
  target_ms: number | null,
  note: Note,
): Pick<RestoreOptions, "load" | "check"> {
  const TARGET_TIME = target_ms === null ? null : format_instant(target_ms);
  const of = (to: string, id: string | null) => ({ RESTORE_TARGET: to, BACKUP_ID: id, TARGET_TIME });
  return {
    load:
      load && ((to, from, id) => run_command("restore", load, { ...of(to, id), RESTORE_SOURCE: from }, note)),
    check: check && ((folder, id) => run_command("check", check, of(folder, id), note)),
  };
}

/** All that was written to its file system is on the storage: what one fsync each would take a million turns for. */
function flush(folder: string): void {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { status, stdout } = spawnSync(guard_path(), ["probe", "sync", folder], { encoding: "latin1" });
  if (status !== 0)
    throw new NoRestore(`${quoted(folder)} could not be flushed (${stdout.trim()}); see the storage`);
}

async function dry_run(options: RestoreOptions): Promise<Work["plan"]["answer"]> {
  const { place, decision, backups, unfinished } = await plan(options);
  const candidates = decision.do === "restore" ? decision.ids : [];
  const sizes = whole_newest_first(backups ?? [])
    .filter(({ id }) => candidates.includes(id))
    .map(
      ({ manifest }) =>
        `candidate ${describe(manifest)}, ${describe_size(manifest.bytes)} in ${manifest.entries} entries`,
    );
  const how = place.how === "rename" ? "renamed" : "moved away, entry by entry";
  const lines = [
    ...(unfinished === null ? [] : [unfinished]),
    `${decision.do}: ${decision.because}`,
    ...sizes,
    ...(decision.do === "restore"
      ? [`what is there is ${how}, and kept in ${quoted(`${place.work}/previous`)}`]
      : []),
  ];
  return { lines, refused: decision.do === "refuse" };
}

/** As it says itself: a look, not a check. */
function id_at(volume: string | null): string | null {
  const bytes = volume === null ? null : read(join(volume, identity_file));
  const identity = bytes && decode_identity(bytes);
  return identity === null || typeof identity === "string" ? null : identity.id;
}

async function take_out(
  { store: at, id, target_ms, to, drill, load, check }: Extract<Request, { do: "unpack" }>,
  store: OpenStore,
  note: Note,
  make_meter: MakeMeter,
): Promise<Work["unpack"]["answer"]> {
  if (existsSync(to) && readdirSync(to).length > 0)
    throw new NoRestore(`${quoted(to)} is not empty; name a directory that is, or that isn't there yet`);
  const meter = make_meter(drill ? "drill" : "restoring");
  const opened = at && (await store(at));
  const whole = opened ? complete_by(target_ms, whole_newest_first(opened.list())) : [];
  const [newest] = whole;
  const wanted = id ?? newest?.id;
  const backup = opened && wanted !== undefined ? opened.look(wanted) : null;
  if (opened && (backup?.how !== "whole" || !whole.some((one) => one.id === wanted)))
    throw new NoRestore(
      `${wanted === undefined ? "a backup" : `the backup ${quoted(wanted)}`} is not in the store, not whole, or of later than ` +
        "--target-time; see leasehold backups list",
    );
  const manifest = backup?.how === "whole" ? backup.manifest : null;
  const commands = commands_of({ load, check }, target_ms, note);
  const made = mkdirSync(to, { recursive: true, mode: 0o700 });
  const source = `${to}.source`;
  try {
    if (opened && manifest) {
      const into = load ? source : to;
      if (load) mkdirSync(into, { mode: 0o700 });
      await unpack(opened.archive(manifest.id), manifest, into, meter);
    }
    await commands.load?.(to, opened ? source : null, manifest?.id ?? null);
    await commands.check?.(to, manifest?.id ?? null);
    if (!drill) flush(to);
  } catch (error) {
    // What was begun here is no restore.
    if (!drill) for (const name of readdirSync(to)) rmSync(`${to}/${name}`, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(source, { recursive: true, force: true });
    if (drill) rmSync(made ?? to, { recursive: true, force: true });
  }
  return { backup: manifest?.id ?? null, took_ms: meter.elapsed_ms, bytes: manifest?.bytes ?? 0 };
}

/** Reads each to its end. What is found is remembered beside it. */
async function verify(
  store: Store,
  ids: readonly string[],
  meter: MakeMeter,
): Promise<Work["verify"]["answer"]["verified"]> {
  const wanted = ids.length > 0 ? ids : whole_newest_first(store.list()).map(({ id }) => id);
  const results: Work["verify"]["answer"]["verified"] = [];
  for (const id of wanted) {
    const backup = store.look(id);
    const failure =
      backup.how === "whole" ? await failure_of(store, backup.manifest, meter) : why_not_whole(backup);
    if (backup.how === "whole") store.verified(id, { at: new Date().toISOString(), failure });
    results.push({ id, failure });
  }
  return results;
}

async function failure_of(
  store: Store,
  manifest: Parameters<typeof unpack>[1] & { id: string },
  meter: MakeMeter,
): Promise<string | null> {
  try {
    await unpack(store.archive(manifest.id), manifest, null, meter("verifying"));
    return null;
  } catch (error) {
    if (error instanceof BadArchive) return error.message;
    throw error;
  }
}

function why_not_whole(backup: ReturnType<Store["look"]>): string {
  return backup.how === "damaged" || backup.how === "newer" ? backup.because : `it is ${backup.how}`;
}
