// Compiles and runs the models. What they are: README.md.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;

export type Outcome = {
  /** none: every state was looked at. limit: not all of them. */
  found: "none" | "violation" | "limit";
  /** The figures, or the violation and the shortest way to it. */
  output: string;
};

/** Compiled once for each number of instances and of ticks that a view may be old; removed with the process's end. */
export class Models {
  readonly #folder = mkdtempSync(join(tmpdir(), "leasehold-model-"));
  readonly #compiled = new Set<string>();

  /** words: of options.h. */
  explore(instances: number, view_age: number, words: string): Outcome {
    const name = `explore-${instances}-${view_age}`;
    if (!this.#compiled.has(name)) {
      const defines = [`-DINSTANCES=${instances}`, `-DVIEW_AGE=${view_age}`];
      const flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"];
      this.#run("g++", [...flags, ...defines, "-o", name, join(here, "explore.cpp")]);
      this.#compiled.add(name);
    }
    const { status, stdout } = this.#run(`./${name}`, words.split(" "), [0, 1, 3]);
    return { found: status === 0 ? "none" : status === 1 ? "violation" : "limit", output: stdout.trimEnd() };
  }

  /** defines: of lease.pml. */
  spin(defines: string): Outcome {
    this.#run("spin", ["-a", ...defines.split(" "), join(here, "lease.pml")]);
    this.#run("gcc", ["-O2", "-w", "-DSAFETY", "-o", "pan", "pan.c"]);
    const { stdout } = this.#run("./pan", ["-m1000000"]);
    // Whether it has seen everything, it says in words only.
    if (/assertion violated/.test(stdout)) return { found: "violation", output: stdout };
    return { found: /too small|out of memory/.test(stdout) ? "limit" : "none", output: stdout };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #run(
    command: string,
    argv: string[],
    expected: readonly number[] = [0],
  ): { status: number; stdout: string } {
    const options = { cwd: this.#folder, encoding: "utf8", maxBuffer: 2 ** 28 } as const;
    const { status, stdout, stderr, error } = spawnSync(command, argv, options);
    if (status === null || !expected.includes(status))
      throw new Error(`${command} ${argv.join(" ")}: ${error?.message ?? `${stdout}${stderr}`}`);
    return { status, stdout };
  }
}
