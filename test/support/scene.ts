// Scenes: programs of test/vm/scenes/, each run in a world of its own that ends with it, whatever it started or mounted.
// It says what it found by `tell`, and fails by throwing.

import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import "./contenders.ts";
import { guard } from "./hand.ts";
import { run_in_uml } from "./uml.ts";

/** uml: another kernel (uml.ts), with NFS, NBD and CIFS. namespaces: this kernel; own network, mounts, processes. */
export type Place = "uml" | "namespaces";

/** What the scene told, by name, in order; times in a scene are CLOCK_BOOTTIME. */
export type Fact = { fact: string; [key: string]: unknown };

export type SceneOptions = {
  place: Place;
  /** Of test/vm/scenes/, or another one by its path; without its ending. */
  program: string;
  args?: readonly string[];
  timeout_ms: number;
  memory_mb?: number;
};

const root = join(import.meta.dirname, "../..");
const node = join(root, "node_modules/node/bin/node");
const mark = "@fact ";
/** Of a scene in namespaces. */
export const scene_address = "10.78.0.1";

/** Runs in the scene. The console of User Mode Linux takes bytes for letters: only ASCII comes through. */
export function tell(fact: string, values: Readonly<Record<string, unknown>> = {}): void {
  const text = JSON.stringify({ fact, ...values });
  const escaped = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  process.stdout.write(`${mark}${text.replace(/[\u0080-\uffff]/g, escaped)}\n`);
}

/** Runs in the scene, as its last: what it has started would keep it. */
export function scene_end(): never {
  process.exit();
}

/** Rejects with all that it wrote when it fails or doesn't end in time. */
export async function scene(options: SceneOptions): Promise<Fact[]> {
  const program = resolve(root, "test/vm/scenes", `${options.program}.ts`);
  const command = [node, program, ...(options.args ?? [])];
  const { output, exit } = await (options.place === "uml" ? in_uml : in_namespaces)(command, options);
  if (exit !== 0) throw new Error(`the scene ${options.program} ended with ${exit}:\n${output}`);
  return output
    .split("\n")
    .filter((line) => line.startsWith(mark))
    .map((line) => JSON.parse(line.slice(mark.length)) as Fact);
}

/** Test programs are compiled out here (contenders.ts): in User Mode Linux this tree is read-only. */
const environment = { LEASEHOLD_TEST_COMPILED: "1", LEASEHOLD_TEST_GUARD: guard };

type Ended = { output: string; exit: number | null };

async function in_uml(command: readonly string[], options: SceneOptions): Promise<Ended> {
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const { output, exit, console } = await run_in_uml({
    env: environment,
    script: `exec ${words}`,
    timeout_ms: options.timeout_ms,
    memory_mb: options.memory_mb ?? 1024,
  });
  return { output: exit === null ? console : output, exit };
}

/** The first process of its PID namespace: with it everything ends, with that its mounts, its network and its daemons. */
async function in_namespaces(command: readonly string[], options: SceneOptions): Promise<Ended> {
  const wrapper = ["--pdeathsig", "KILL", "--", "unshare", "--net", "--mount", "--propagation", "private"];
  const inner = ["--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-ec", prepare, "scene"];
  const child = spawn("setpriv", [...wrapper, ...inner, ...command], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, HOME: "/run", ...environment },
    detached: true,
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout_ms);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  try {
    const exit = await new Promise<number | null>((resolve, reject) => {
      child.on("close", resolve).on("error", reject);
    });
    return { output, exit };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Folders to write to that are nobody else's, and one address, 10.78.0.1, because loopback is refused by some. The shell stays,
 * as the first process: it reaps what the daemons leave.
 */
const prepare = `
for folder in /run /mnt /var/lib/glusterd /var/log; do [ ! -d $folder ] || mount -t tmpfs tmpfs $folder; done
mkdir -p /run/tmp
ip link set lo up
ip link add bridge type bridge
ip addr add ${scene_address}/24 dev bridge
ip link set bridge up
TMPDIR=/run/tmp "$@" || exit $?
`;
