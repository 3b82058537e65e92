// The app that leasehold would run here: whether its command can be executed, and what lies in its data directory. Nothing is changed.

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Settings } from "../../config/load.ts";
import { data_directory, type DataJudgement, judge_data, mismatch } from "../../config/profiles/judge.ts";
import { ms_to_ns } from "../../core/time.ts";
import { boot_clock } from "../../guard/boot-clock.ts";
import { type Operation, run_probe } from "../../guard/probe.ts";
import { look_at_data, type Probed } from "../../shell/data-facts.ts";

export type AppFacts = {
  /** Empty: none was given. */
  command: readonly string[];
  /** missing: in none of PATH's directories, or not there. interpreter: its first line names what isn't there. */
  program: "good" | "missing" | "not-executable" | { interpreter: string };
  /** The command is another app's than the profile's: a sentence. */
  mismatch: string | null;
  /** null: nothing is known of the app's data. unseen: why it could not be looked at. */
  data: DataJudgement | { unseen: string } | null;
};

const limit_ms = 10_000;

export async function read_app(command: readonly string[], settings: Settings): Promise<AppFacts> {
  const { profile } = settings;
  return {
    command,
    program: command[0] === undefined ? "good" : program(command[0]),
    mismatch: profile === null || command.length === 0 ? null : mismatch(profile, command),
    data: await data(command, settings),
  };
}

/** As execvp(3) looks for it. */
function program(name: string): AppFacts["program"] {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = name.includes("/") ? [name] : folders.map((folder) => join(folder, name));
  const there = paths.filter(is_file);
  const [path] = there.filter(is_executable);
  if (path === undefined) return there.length > 0 ? "not-executable" : "missing";
  const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(beginning(path)) ?? [];
  return interpreter === undefined || is_file(interpreter) ? "good" : { interpreter };
}

function is_file(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // not there, a link to itself, or in a folder that can't be entered: not for leasehold either
  }
}

function is_executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function beginning(path: string): string {
  try {
    const fd = openSync(path, constants.O_RDONLY);
    const bytes = Buffer.alloc(256);
    const got = readSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
    return bytes.toString("latin1", 0, got);
  } catch {
    return ""; // it may be executed without being readable
  }
}

async function data(command: readonly string[], settings: Settings): Promise<AppFacts["data"]> {
  const { profile, data: plan } = settings;
  if (profile === null) return null;
  const directory = data_directory(profile, plan?.path ?? null, command);
  if (directory === null) return null;
  const looked = await look_at_data({ profile, directory, command, network: false }, probe);
  if ("facts" in looked) return judge_data(profile, looked.facts);
  return { unseen: "unseen" in looked ? looked.unseen : "it did not answer in time" };
}

/** In a job: a hung volume would hang this process, too. */
async function probe(operation: Operation): Promise<Probed<"late">> {
  const clock = await boot_clock();
  const now_ns = (): bigint => clock.now_ns();
  const deadline_ns = now_ns() + ms_to_ns(limit_ms);
  const { results } = await run_probe([operation], { deadline_ns, now_ns });
  const [result] = results;
  return result ? { result } : { end: "late" };
}
