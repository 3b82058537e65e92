// What `leasehold volume` prints. Pure.

import { format_duration } from "../config/durations.ts";
import { escaped, quoted } from "../config/quoted.ts";
import { describe_size } from "../config/sizes.ts";
import type { VolumeRequirement } from "../config/volume.ts";
import { ms } from "../core/timing.ts";
import type { Beat, Claim } from "../storage/lease/format.ts";
import { highest_claim, is_withdrawn, type Scene, type Seen } from "../storage/lease/scene.ts";
import type { Mount } from "../storage/mountinfo.ts";
import type { Ages } from "../storage/pair.ts";
import type { VolumeReport } from "../storage/report.ts";

type Row = readonly [name: string, value: string];

function table(rows: readonly Row[]): string {
  return rows.map(([name, value]) => `${name.padEnd(9)} ${escaped(value)}\n`).join("");
}

export function show_text({ identity, mount, kind, free_bytes }: VolumeReport, scene: Scene): string {
  const claims = [...scene.claims].toSorted(([a], [b]) => (a < b ? 1 : -1));
  const beats = [...scene.beats].toSorted(([, a], [, b]) =>
    (a.value?.claim ?? 0n) < (b.value?.claim ?? 0n) ? 1 : -1,
  );
  const rows: Row[] = [
    ["id", identity?.id ?? "none"],
    ["label", identity?.label ?? "none"],
    ["created", identity?.created ?? "unknown"],
    ["lease", `${format_duration(identity?.tv_ms ?? 0)}, the volume's own`],
    ["mount", mount_text(mount, identity?.directory === true)],
    ...(kind ? [["kind", kind_text(kind.name, kind.view_age_ms)] as const] : []),
    ...(free_bytes === null ? [] : [["free", describe_size(free_bytes)] as const]),
    ["counter", String(highest_claim(scene))],
    ...claims.slice(0, most).map(([n, seen]): Row => [`claim ${n}`, claim_text(scene, seen)]),
    ...more("claims", claims.length),
    ...beats
      .slice(0, most)
      .map(([instance, { value, wrong }]): Row => [
        "beat",
        value ? beat_text(value) : `${instance} ${wrong ?? ""}`,
      ]),
    ...more("beats", beats.length),
  ];
  return table(rows);
}

const most = 10;

function more(what: string, length: number): Row[] {
  return length > most ? [["", `${length - most} more ${what}`]] : [];
}

function claim_text(scene: Scene, seen: Seen<Claim>): string {
  const { value, wrong } = seen;
  if (value === null) return `can't be used: it ${wrong ?? ""}`;
  if (value.self === null) return "by leasehold volume init";
  const withdrawn = is_withdrawn(scene, seen) ? ", ended" : "";
  const token = value.lock_token === null ? "" : `, the lock's token ${value.lock_token}`;
  return `by ${value.self.holder}, instance ${value.instance}${token}${withdrawn}`;
}

function beat_text({ self, claim, seq, state, mode, tv_ms }: Beat): string {
  const lives = state === "released" ? "" : `, silent after ${format_duration(tv_ms)} without another`;
  return `${self.holder}, claim ${claim}: ${state}, its beat ${seq}${lives} (${mode})`;
}

/** Claims and beats as they are written. BigInt is a decimal string. */
export function show_json({ identity, mount, kind, free_bytes }: VolumeReport, scene: Scene): string {
  const plain = (_key: string, value: unknown): unknown =>
    typeof value === "bigint" ? String(value) : value;
  const values = <T>(all: Iterable<Seen<T>>): T[] =>
    [...all].flatMap(({ value }) => (value === null ? [] : [value]));
  const view = {
    ...{ identity, mount, kind, free_bytes },
    counter: highest_claim(scene),
    claims: values(scene.claims.values()),
    beats: values(scene.beats.values()),
    standbys: values(scene.standbys.values()),
  };
  return `${JSON.stringify(view, plain, 2)}\n`;
}

function mount_text(mount: Mount | null, directory: boolean): string {
  if (mount === null || mount.point === "/")
    return directory ? "none, it was labelled as a plain directory" : "none";
  return `${mount.type} from ${quoted(mount.source)} at ${quoted(mount.point)}, ${mount.options.join(",")}`;
}

function kind_text(name: string, view_age_ms: number | null): string {
  if (view_age_ms === null)
    return `${name}; how old a view of it may be is not known: measure with --pair, then give view-age`;
  if (view_age_ms === 0) return `${name}; who looks sees what is there`;
  return `${name}; a view of it is at most ${ms(view_age_ms)} old`;
}

/** A line for each thing that was looked at, up to the first that is wrong: that one the failure's sentence tells. */
export function check_lines(
  { path, min_free_bytes, view_age_ms }: VolumeRequirement,
  report: VolumeReport,
): string {
  const { verdict, mount, kind, identity, free_bytes, took_ms } = report;
  const directory = identity?.directory === true;
  const known_ms = view_age_ms ?? kind?.view_age_ms ?? null;
  const well = verdict === "ok" || verdict === "slow";
  const rows: Row[] = [["volume", path]];
  if (mount && (mount.point !== "/" || directory)) rows.push(["mounted", mount_text(mount, directory)]);
  if (identity) {
    const name = identity.label === null ? "" : ` (${identity.label})`;
    rows.push(["identity", `${identity.id}${name}, lease ${format_duration(identity.tv_ms)}`]);
  }
  if (well) {
    rows.push(["works", `written, flushed and read back, in ${ms(took_ms)}`]);
    rows.push(["copies", "no other mount here has its id"]);
  }
  if (well && free_bytes !== null) {
    const limit = min_free_bytes === null ? "" : `, and min-free is ${describe_size(min_free_bytes)}`;
    rows.push(["free", `${describe_size(free_bytes)}${limit}`]);
  }
  if (well && kind) rows.push(["lease", kind_text(kind.name, directory && known_ms === null ? 0 : known_ms)]);
  if (verdict !== "ok") rows.push([verdict, "see the last line"]);
  return table(rows);
}

export function pair_lines(
  { rounds, looks, age_ms }: Ages,
  first: VolumeReport,
  second: VolumeReport,
): string {
  const known_ms = first.kind?.view_age_ms ?? null;
  const shared = first.mount?.dev === second.mount?.dev;
  const least_ms = Math.max(known_ms ?? 0, Math.ceil(2 * age_ms), 1000);
  const advice =
    known_ms !== null && age_ms <= known_ms
      ? `within the ${ms(known_ms)} that are counted with: nothing to do`
      : `give --volume …,view-age=${format_duration(least_ms)} or more`;
  return table([
    ["A", `${ms(age_ms)} at most, in ${looks} looks after ${rounds} changes; ${advice}`],
    ...(shared
      ? [
          [
            "but",
            "both mounts share one cache on this machine: measure from another one, or mount with nosharecache",
          ] as const,
        ]
      : []),
  ]);
}
