import assert from "node:assert/strict";
import { test } from "node:test";
import { run_command } from "../../src/backup/command.ts";
import { malloc_environment } from "../../src/backup/memory.ts";

test("a user's command has the app's environment, and not what the process that runs it needs for itself", async () => {
  const before = { ...process.env };
  const [ours = "", theirs = ""] = Object.keys(malloc_environment);
  Object.assign(process.env, malloc_environment, { OWN: "1", [theirs]: "4096" });
  const notes: string[] = [];
  try {
    await run_command("backup", ["env"], { TOKEN: "7" }, (note) => notes.push(note));
  } finally {
    process.env = before;
  }
  assert.ok(
    ["OWN=1", "LEASEHOLD_TOKEN=7", `${theirs}=4096`].every((one) => notes.includes(`backup: ${one}`)),
  );
  assert.ok(!notes.some((note) => note.includes(ours)));
});
