import type { ReadyCheck } from "../config/ready.ts";
import { format_endpoint } from "../config/lock-url.ts";
import { escaped } from "../config/quoted.ts";
import { ms_to_ns, type Time } from "../core/time.ts";
import { ms } from "../core/timing.ts";
import { type JobOptions, run_job } from "../guard/job.ts";
import { ask, type Dialogue } from "./dialogue.ts";
import { mongodb } from "./mongodb.ts";
import { http, mysql, postgres, redis, tcp } from "./protocols.ts";

export type CheckOptions = {
  /** One question may take so long. */
  limit_ms: number;
  time: Time;
  /** How a command runs: beside the app, and no longer than it. */
  job: Pick<JobOptions, "tenure" | "page" | "app_env" | "set" | "unset" | "guard">;
};

/** Asks once. Never rejects: why the app isn't ready, or null. */
export function check_ready(check: ReadyCheck, options: CheckOptions): Promise<string | null> {
  return check.how === "exec"
    ? run_command(check.command, options)
    : ask(check.endpoint, dialogue_of(check), options);
}

function dialogue_of(check: Exclude<ReadyCheck, { how: "exec" }>): Dialogue {
  switch (check.how) {
    case "tcp":
      return tcp;
    case "http":
    case "https":
      return http(format_endpoint(check.endpoint), check.path, check.how === "https");
    case "postgres":
      return postgres(check.user);
    case "mysql":
      return mysql;
    case "redis":
      return redis;
    case "mongodb":
      return mongodb;
  }
}

async function run_command(command: string, { limit_ms, time, job }: CheckOptions): Promise<string | null> {
  const { end, stdout, stderr } = await run_job({
    ...job,
    command: ["/bin/sh", "-c", command],
    deadline_ns: time.now_ns() + ms_to_ns(limit_ms),
    now_ns: () => time.now_ns(),
  });
  if (end.how === "exit" && end.value === 0) return null;
  const last = `${stdout.toString()}${stderr.toString()}`.trimEnd().split("\n").at(-1) ?? "";
  const said = last === "" ? "" : `: ${escaped(last.slice(0, 200))}`;
  if (end.how === "killed") return `its check was killed, after ${ms(limit_ms)} at the latest`;
  if (end.how === "undead") return "its check can't be killed";
  return end.how === "exit"
    ? `its check ended with ${end.value}${said}`
    : `its check ended by ${end.how} ${end.value}${said}`;
}
