// What is to be known of an app's data directory before the app is started on it: its names, and the files that its profile asks for.

import { readFileSync } from "node:fs";
import { type ProfileName, profiles } from "../config/profiles/all.ts";
import type { DataFacts, ProcessKind } from "../config/profiles/judge.ts";
import type { Profile } from "../config/profiles/profile.ts";
import { quoted } from "../config/quoted.ts";
import type { Operation } from "../guard/probe.ts";
import type { ProbeResult } from "../guard/probe-result.ts";

const names_max = 10_000;
/** A lock file is a few lines; a configuration may be long, and the rest of a longer one isn't looked at. */
const file_max_bytes = 262_144;

/** end: it has none, and why is the caller's. */
export type Probed<End> = { result: ProbeResult } | { end: End };

type Subject = Pick<DataFacts, "directory" | "command" | "network"> & { profile: ProfileName };

/** unseen: why nothing can be said of it, a sentence. No file operation on it runs in this process. */
export async function look_at_data<End>(
  { profile: name, directory, command, network }: Subject,
  probe: (operation: Operation) => Promise<Probed<End>>,
): Promise<{ facts: DataFacts } | { unseen: string } | { end: End }> {
  const { app, data }: Profile = profiles[name];
  const listed = await probe({ do: "list", path: directory, max: names_max });
  if ("end" in listed) return listed;
  const { error, content } = listed.result;
  if (error !== undefined && error !== "ENOENT")
    return {
      unseen: `${quoted(directory)} can't be looked at (${error}), so nothing of ${app}'s data was checked`,
    };
  const names = error === undefined ? content.toString().split("\0").slice(0, -1) : null;
  const files = new Map<string, string>();
  for (const file of [data?.version?.files ?? [], data?.stale ?? [], data?.settings ?? []].flat()) {
    if (names?.includes(file) !== true) continue;
    const read = await probe({ do: "read", path: `${directory}/${file}`, max: file_max_bytes });
    if ("end" in read) return read;
    if (read.result.error === undefined) files.set(file, read.result.content.toString());
  }
  const image_version = (data?.version && process.env[data.version.variable]) ?? null;
  return {
    facts: { directory, names, files, network, command, image_version, process: kind_of_process },
  };
}

/** In this PID namespace, which is the app's. A thread's number counts as its process's, as it does for kill(2). */
function kind_of_process(pid: number): ProcessKind {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const [, name = ""] = /^Name:\t(.*)$/m.exec(status) ?? [];
    const group = Number(/^Tgid:\t(\d+)$/m.exec(status)?.[1]);
    const ours = group === process.pid || group === process.ppid || name.startsWith("lh-");
    return ours ? "ours" : "other";
  } catch {
    return "none";
  }
}
