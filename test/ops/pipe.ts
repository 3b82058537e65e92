import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A pipe whose ends are both in this process. `fd` is the blocking end for writing, as the guard hands it over. */
export function pipe(t: TestContext): { fd: number; read: () => string } {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-"));
  const path = join(directory, "pipe");
  spawnSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, "w");
  t.after(() => {
    closeSync(reader);
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  return { fd, read: () => read_all(reader) };
}

/** What is in it now. */
function read_all(fd: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    try {
      const n = readSync(fd, chunk);
      if (n === 0) break;
      chunks.push(chunk.subarray(0, n));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") break;
      throw error;
    }
  }
  return Buffer.concat(chunks).toString();
}
