// Defects for restore, backup, profiles, readiness and restarts, each with the test that has to find it.

import type { TestedPlant } from "./planted.ts";

const crash = { test: "restore/crash.test.ts" };
const archive = { test: "backup/archive.test.ts" };
const core = { test: "core/step.test.ts" };
const profiles = { test: "config/profiles.test.ts" };

export const data_plants: readonly TestedPlant[] = [
  {
    what: "the exchange begins before the journal says that staging is whole",
    file: "restore/restore.ts",
    from: '    write_journal(place.work, journal);\n    options.at("staged");',
    to: '    options.at("staged");',
    ...{ ...crash, name: "ext4, the directory is renamed" },
  },
  {
    what: "what was cut off while it was staged counts as whole",
    file: "restore/restore.ts",
    from: 'if (journal?.step === "staging") {',
    to: 'if (journal?.step === "exchanged") {',
    ...{ ...crash, name: "ext4, the directory is renamed" },
  },
  {
    what: "what was staged isn't flushed before it counts",
    file: "restore/restore.ts",
    from: "  flush(staging);\n  sync_folder(staging);",
    to: "",
    ...{ ...crash, name: "xfs, entries are moved" },
  },
  {
    what: "the old data is not kept",
    file: "restore/exchange.ts",
    from: "  rmSync(staging_of(place), { recursive: true, force: true }); // empty, where entries were moved",
    to: "  rmSync(previous_of(place), { recursive: true, force: true });",
    ...{ ...crash, name: "ext4, the directory is renamed" },
  },
  {
    what: "entries of an archive aren't judged",
    file: "backup/unpack.ts",
    from: "if (refusal !== null) throw",
    to: "if (refusal === count + 1) throw",
    ...{ ...archive, name: "an archive that holds" },
  },
  {
    what: "an entry is written through a link of the archive's own",
    file: "backup/unpack.ts",
    from: "if (stat?.isDirectory() !== true)",
    to: "if (stat === undefined)",
    ...{ ...archive, name: "an archive that holds" },
  },
  {
    what: "an archive may hold more than its manifest says",
    file: "backup/unpack.ts",
    from: "if (count > said.entries || bytes > said.bytes)",
    to: "if (count > said.entries + 1e9)",
    ...{ ...archive, name: "more than was declared" },
  },
  {
    what: "an archive's checksum isn't looked at",
    file: "backup/unpack.ts",
    from: 'if (hash.digest("hex") !== said.sha256)',
    to: 'if (hash.digest("hex") === said.sha256 + "-")',
    ...{ ...archive, name: "every cut and every flipped bit" },
  },
  {
    what: "a newest backup that can't be read is passed over",
    file: "restore/plan.ts",
    from: "if (unreadable.length > fallback)",
    to: "if (unreadable.length > fallback + 1e9)",
    ...{ test: "restore/plan.test.ts", name: "a newest one that can't be read" },
  },
  {
    what: "newer data is replaced by an older backup",
    file: "restore/plan.ts",
    from: "BigInt(facts.used_token ?? 0) >= BigInt(newest_token))",
    to: "BigInt(facts.used_token ?? 0) > BigInt(newest_token) + 99n)",
    ...{ test: "restore/plan.test.ts", name: "behind: data of an earlier tenure" },
  },
  {
    what: "a backup of another volume is restored like any",
    file: "restore/plan.ts",
    from: "return manifest.volume_id !== volume_id;",
    to: "return manifest.volume_id === `not ${volume_id}`;",
    ...{ test: "restore/plan.test.ts", name: "a backup of another volume" },
  },
  {
    what: "a backup that holds just what was restored counts as later",
    file: "backup/advance.ts",
    from: "if (made.sha256 === from.sha256)",
    to: 'if (made.sha256 === "")',
    ...{ test: "backup/advance.test.ts", name: "a backup is later" },
  },
  {
    what: "a backup looks for others before it says that it begins",
    file: "backup/alone.ts",
    from: 'writeFileSync(path, "");\n      const others = others_in(work, own);',
    to: 'const others = others_in(work, own);\n      writeFileSync(path, "");',
    ...{ test: "backup/alone.test.ts", name: "of processes that begin" },
  },
  {
    what: "what a killed backup leaves counts as one under way",
    file: "backup/alone.ts",
    from: "=== name;",
    to: "=== name || name.length > 0;",
    ...{ test: "backup/alone.test.ts", name: "while another one is under way" },
  },
  {
    what: "what another machine was making is taken for what a killed one left",
    file: "backup/alone.ts",
    from: "name.endsWith(`-${boot_id()}`)",
    to: "name.length > 0",
    ...{ test: "backup/alone.test.ts", name: "what a killed one was making" },
  },
  {
    what: "each backup without a manifest is removed by the next one",
    file: "restore/back-up.ts",
    from: 'how === "unfinished" && left.includes(id)',
    to: 'how === "unfinished" && left.length >= 0',
    ...{ test: "restore/back-up.test.ts", name: "of the backups without a manifest" },
  },
  {
    what: "a last backup of what is not provably whole",
    file: "core/after.ts",
    from: 'ending.why === "stop-requested" && clean && tenure.open && hooks.backup',
    to: 'ending.why === "stop-requested" && hooks.backup',
    ...{ ...core, name: "a last backup after a requested stop" },
  },
  {
    what: "an app is started again under a lock that is lost",
    file: "core/restart.ts",
    from: "if (!tenure.open || !is_provably_ours(tenure, now_ns)) return null;",
    to: "",
    ...{ ...core, name: "no restart: " },
  },
  {
    what: "an app that was asked to stop is started again",
    file: "core/restart.ts",
    from: 'if (ending.why !== "app-ended" || end === null',
    to: "if (end === null",
    ...{ ...core, name: "no restart: " },
  },
  {
    what: "an app is never too late to be ready",
    file: "core/running.ts",
    from: "if (state.ready_by_ns !== null && now_ns >= state.ready_by_ns) {",
    to: "if (state.ready_by_ns !== null && now_ns < 0n) {",
    ...{ ...core, name: "never ready in time" },
  },
  {
    what: "a lock file goes although its process runs",
    file: "config/profiles/judge.ts",
    from: '  if (kind === "other")',
    to: '  if (kind === "other" && pid === 0)',
    ...{ ...profiles, name: "a lock file is removed only when" },
  },
  {
    what: "another app's data passes",
    file: "config/profiles/judge.ts",
    from: "      other !== null\n        ? `",
    to: "      other !== null && names.length < 0\n        ? `",
    ...{ ...profiles, name: "another app's data is refused" },
  },
];
