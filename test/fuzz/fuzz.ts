import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/**
 * Compiles the guard under libFuzzer, in a scratch folder, and runs it for so many seconds. plant: a change of tenure.c that
 * has to be found.
 */
export function fuzz(
  seconds: number,
  plant?: (source: string) => string,
): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-fuzz-"));
  try {
    cpSync(join(root, "src/guard"), join(folder, "src/guard"), { recursive: true });
    cpSync(join(root, "test/fuzz/frames.c"), join(folder, "test/fuzz/frames.c"));
    if (plant) {
      const tenure = join(folder, "src/guard/tenure.c");
      const before = readFileSync(tenure, "utf8");
      const after = plant(before);
      if (after === before) throw new Error("the plant does not fit the source any more");
      writeFileSync(tenure, after);
    }
    mkdirSync(join(folder, "corpus"));
    const flags =
      "-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover -Dmain=guard_main";
    const files = ["frame", "keeper", "main", "probe", "release", "tenure", "tree"].map(
      (name) => `src/guard/${name}.c`,
    );
    const build = `clang ${flags} -o fuzz test/fuzz/frames.c ${files.join(" ")}`;
    const limits = `-max_total_time=${seconds} -max_len=1024 -print_final_stats=1`;
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `${build} && exec ./fuzz ${limits} corpus`], {
      cwd: folder,
      encoding: "utf8",
      timeout: (seconds + 60) * 1000,
      maxBuffer: 2 ** 26,
    });
    return { status, output: `${stdout}${stderr}` };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
