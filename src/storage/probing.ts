// One look at one volume's path: which operations, and what came of them. All of them run in a job; nothing here waits in a
// system call of its own.

import { readFileSync } from "node:fs";
import type { Time } from "../core/time.ts";
import { ms_between, ms_to_ns } from "../core/time.ts";
import { type Operation, type ProbeOptions, run_probe } from "../guard/probe.ts";
import { identity_file, identity_max_bytes, leasehold_folder } from "./identity.ts";
import { type Mount, parse_mountinfo } from "./mountinfo.ts";

/** How the jobs of a look run: under which tenure, by which guard. */
export type JobKind = Pick<ProbeOptions, "tenure" | "page" | "guard" | "abort" | "by">;

/** Of `fs PATH`. */
type PathFacts = { kind: "dir" | "file" | "other"; mount_id: number; dev: string; free_bytes: number };

type Failed = { step: string; error: string; doing: Doing };

/** What a sentence calls the operations. */
type Doing = "opening it" | "listing it" | "reading its identity" | "writing to it" | "flushing it";

/** late: the time that the job took when it had no answer. */
export type Sight = {
  mounts: Mount[];
  facts: PathFacts | null;
  /** At most names_max of what lies in it; null: not looked for. */
  names: readonly string[] | null;
  /** volume.json; null: there is none. undefined: not known. */
  identity: Buffer | null | undefined;
  failed: Failed | null;
  /** What was under way when the time was over; null: not known. left: what comes of the kill, a process when it can't be killed. */
  late: { doing: Doing | null; left: Promise<number | null> } | null;
  /** The job couldn't be run. */
  unprobed: string | null;
  took_ms: number;
};

/** What a kill takes, on a busy machine. */
const kill_ms = 100;

/** Enough to see whether anything but a file system's own names is there. */
const names_max = 60;

export function read_mounts(): Mount[] {
  return parse_mountinfo(readFileSync("/proc/self/mountinfo", "utf8"));
}

/**
 * Looks at it once, all in one job: opens it, lists it when asked to, reads its identity, and when it has one, writes a file of
 * its own beside it, flushes it, reads it back and takes it away. The job is killed when it takes longer than limit_ms.
 */
export async function look_at(
  path: string,
  options: {
    /** Names the file that is written; null: nothing is. */
    instance: string | null;
    list: boolean;
    limit_ms: number;
    time: Time;
    job?: JobKind | undefined;
  },
): Promise<Sight> {
  const { time, instance, limit_ms } = options;
  const started_ns = time.now_ns();
  const folder = `${path}/${leasehold_folder}`;
  const file = `${folder}/${instance}.probe`;
  const content = Buffer.from(`${instance} ${started_ns}\n`);
  // Opening a directory makes a network file system ask its server for it. Without that a name which wasn't there the last time
  // may be missing for a minute (NFS), however often it is asked for.
  const plan: readonly (readonly [Doing, Operation, keyof Sight | null])[] = [
    ["opening it", { do: "fs", path }, "facts"],
    ...(options.list ? ([["listing it", { do: "list", path, max: names_max }, "names"]] as const) : []),
    ["reading its identity", { do: "list", path: folder, max: 1 }, null],
    [
      "reading its identity",
      { do: "read", path: `${path}/${identity_file}`, max: identity_max_bytes + 1 },
      "identity",
    ],
    ...(instance === null
      ? []
      : ([
          ["writing to it", { do: "check", path: file, content }, null],
          ["writing to it", { do: "unlink", path: file }, null],
        ] as const)),
  ];
  const job = run_probe(
    plan.map(([, operation]) => operation),
    {
      deadline_ns: started_ns + ms_to_ns(limit_ms),
      now_ns: () => time.now_ns(),
      ...options.job,
    },
  );
  const left = job.then(({ end }) => (end.how === "undead" ? end.pid : null));
  // What can't be killed says so a second later, and a job whose guard is stopped ends even later: nobody waits for that.
  const done = await Promise.race([job, over(time, limit_ms + kill_ms)]);
  const { end, results } = done ?? { end: null, results: [] };
  const sight: Sight = {
    mounts: read_mounts(),
    facts: null,
    names: null,
    identity: undefined,
    failed: null,
    late: null,
    unprobed: null,
    took_ms: ms_between(started_ns, time.now_ns()),
  };
  for (const [index, { error, step = "", content: found }] of results.entries()) {
    const [doing = "opening it", operation, slot] = plan[index] ?? [];
    if (error !== undefined) {
      const no_identity =
        doing === "reading its identity" &&
        (error === "ENOENT" || (error === "ENOTDIR" && operation?.do === "list"));
      if (no_identity) sight.identity = null;
      else sight.failed = { doing, step, error };
    } else if (slot === "facts") sight.facts = parse_facts(found.toString("latin1"));
    else if (slot === "names") sight.names = found.toString().split("\0").slice(0, -1);
    else if (slot === "identity") sight.identity = found;
  }
  if (sight.failed !== null || sight.identity === null || results.length === plan.length) return sight;
  const [doing = "opening it"] = plan[results.length] ?? [];
  if (end === null || end.how === "undead") sight.late = { doing: null, left };
  else if (end.how === "killed" && end.why === "deadline") sight.late = { doing, left };
  else
    sight.unprobed =
      end.how === "killed" ? `its job was killed (${end.why})` : `its job ended by ${end.how} ${end.value}`;
  return sight;
}

function over(time: Time, delay_ms: number): Promise<null> {
  return new Promise((resolve) => time.after(delay_ms, () => resolve(null)));
}

function parse_facts(text: string): PathFacts {
  const fields = new Map(
    text.split(" ").map((field): [string, string | undefined] => {
      const [name = "", value] = field.split("=", 2);
      return [name, value];
    }),
  );
  const kind = fields.get("kind");
  return {
    kind: kind === "dir" || kind === "file" ? kind : "other",
    mount_id: Number(fields.get("mnt") ?? 0),
    dev: fields.get("dev") ?? "",
    free_bytes: Number(fields.get("bavail") ?? 0) * Number(fields.get("bsize") ?? 0),
  };
}
