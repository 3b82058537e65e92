// What the facts mean, each as a sentence; what is wrong ends with the remedy. Pure.

import type { Settings } from "../../config/load.ts";
import { ms } from "../../core/timing.ts";
import { quoted } from "../../config/quoted.ts";
import type { AppFacts } from "./app.ts";
import type { Facts } from "./facts.ts";

/** wrong: leasehold refuses to start, or a promise doesn't hold. weak: it holds with less to spare. */
export type Diagnosis = { how: "good" | "weak" | "wrong"; sentence: string };

const good = (sentence: string): Diagnosis => ({ how: "good", sentence });
const weak = (what: string, remedy: string): Diagnosis => ({ how: "weak", sentence: `${what}; ${remedy}` });
const wrong = (what: string, remedy: string): Diagnosis => ({ how: "wrong", sentence: `${what}; ${remedy}` });

const capability = { kill: 5n, ipc_lock: 14n, sys_nice: 23n } as const;
const has = ({ capabilities }: Facts, name: keyof typeof capability): boolean =>
  ((capabilities >> capability[name]) & 1n) === 1n;

/** A deadline's kill waits for a processor; with less than one it waits for the next period, too. */
const cpus_least = 1;
/** The guard, the controller's threads, the pump and some jobs. */
const pids_least = 64;

export function diagnose(facts: Facts, settings: Settings, app: AppFacts): Diagnosis[] {
  return [
    kernel(facts),
    ...proc(facts),
    first(facts),
    kill(facts),
    priority(facts),
    memory(facts),
    processors(facts, settings),
    ...(facts.pids_max !== null && facts.pids_max < pids_least
      ? [
          weak(
            `at most ${facts.pids_max} processes and threads are allowed, the app's included`,
            `allow ${pids_least} more than the app needs`,
          ),
        ]
      : []),
    ...(facts.oom_group
      ? [
          weak(
            "memory.oom.group is 1: when memory runs out the guard is killed with the app, and the lock waits for the lease's end",
            "set it to 0, or count on the lease",
          ),
        ]
      : []),
    storage(settings),
    ...of_app(app),
  ];
}

function kernel({ kernel: version }: Facts): Diagnosis {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const new_enough = major > 5 || (major === 5 && minor >= 3);
  return new_enough
    ? good(`Linux ${version} has pidfds`)
    : weak(
        `Linux ${version} has no pidfds, so that deep trees die one generation after the other`,
        "take 5.3 or later",
      );
}

function proc({ proc_pid, pid, lists_children }: Facts): Diagnosis[] {
  if (proc_pid === null) return [wrong("/proc is not mounted", "mount it")];
  if (proc_pid !== pid) return [wrong("/proc is that of another PID namespace", "mount its own")];
  return lists_children
    ? [good("/proc is this PID namespace's own")]
    : [weak("the kernel lists no children (CONFIG_PROC_CHILDREN)", "take one that does")];
}

function first({ first: name }: Facts): Diagnosis {
  if (name === "leasehold") return good("leasehold is the first process of its PID namespace");
  const known: Readonly<Record<string, string>> = {
    "docker-init": "leave --init out",
    tini: "leave it out: leasehold reaps, too",
    pause: "leave shareProcessNamespace out",
    systemd: "as a service that is all right; in a container leave hostPID out",
  };
  const remedy = known[name ?? ""] ?? "make it the ENTRYPOINT, with no shell before it";
  return weak(
    `the first process is ${name ?? "not to be seen"}, so who kills both guards at one instant leaves the app`,
    remedy,
  );
}

function kill(facts: Facts): Diagnosis {
  if (has(facts, "kill") || facts.uid !== 0)
    return good(
      facts.uid === 0
        ? "CAP_KILL is there"
        : `the app stays user ${facts.uid}, whose processes can be killed`,
    );
  const what = "CAP_KILL is missing, and root's app may become a user whose processes root can't kill then";
  return facts.first === "leasehold"
    ? weak(`${what}: the last resort is to end the container`, "add KILL")
    : wrong(what, "add KILL, or make leasehold the first process");
}

function priority(facts: Facts): Diagnosis {
  return has(facts, "sys_nice") || facts.rtprio > 0
    ? good("the guard gets real-time priority")
    : weak(
        "no real-time priority: on a busy machine a kill may be some tens of milliseconds late",
        "add SYS_NICE or ulimit rtprio 1, or leave --margin as it is",
      );
}

function memory(facts: Facts): Diagnosis {
  return has(facts, "ipc_lock") || facts.memlock_bytes >= 1 << 20
    ? good("the guard's memory can be locked")
    : weak("the guard's memory can't be locked, and may be swapped out", "ulimit memlock 1048576");
}

function processors({ cpus }: Facts, { timing }: Settings): Diagnosis {
  return cpus === null || cpus >= cpus_least
    ? good(cpus === null ? "no limit of processor time" : `${cpus} processors' worth of time`)
    : weak(
        `${cpus} of a processor is all that there is, and a kill may wait for the next period`,
        `allow one, or lengthen --margin, which is ${ms(timing.margin_ms)}`,
      );
}

function storage({ volumes }: Settings): Diagnosis {
  return volumes.length > 0
    ? good(`${volumes.map(({ path }) => path).join(", ")}: leasehold volume check says whether it works`)
    : weak("there is no --volume, so that only the lock protects the data", "give --volume PATH");
}

function of_app({ command, program, mismatch, data }: AppFacts): Diagnosis[] {
  const name = quoted(command[0] ?? "");
  const all: Diagnosis[] = [];
  if (command.length === 0)
    all.push(weak("no command was given, so nothing is said of it", "give it after --"));
  else if (program === "good") all.push(good(`${name} is there and can be executed`));
  else if (program === "missing")
    all.push(
      wrong(`${name} is not in this image (127)`, "give the image's own entry point and command after --"),
    );
  else if (program === "not-executable")
    all.push(wrong(`${name} is there and can't be executed (126)`, "chmod +x, or run it by its interpreter"));
  else
    all.push(
      wrong(
        `the first line of ${name} names ${quoted(program.interpreter)}, which is not in this image (127)`,
        "install that, or mend the line (its end, too: no carriage return)",
      ),
    );
  if (mismatch !== null) all.push({ how: "wrong", sentence: mismatch });
  if (data === null) return all;
  if ("unseen" in data) return [...all, weak(data.unseen, "run doctor as the user of leasehold")];
  if (data.refusal !== null) all.push({ how: "wrong", sentence: data.refusal });
  all.push(...data.notes.map(good));
  return [...all, ...data.warnings.map((sentence): Diagnosis => ({ how: "weak", sentence }))];
}
