// One backup, or one restore, by the built-in store, as its job does it: one backup STORE DATA | one restore STORE FOLDER. Prints
// the most memory that it had, in kB.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { make_backup } from "../../src/backup/make.ts";
import { Meter } from "../../src/backup/meter.ts";
import { Store } from "../../src/backup/store.ts";
import { unpack } from "../../src/backup/unpack.ts";

const guard = join(import.meta.dirname, "../../dist/leasehold"); // not from test/support/, which compiles fixtures first
const [, , what = "", path = "", folder = ""] = process.argv;
const store = new Store(path, "bench");
const meter = new Meter(what, () => {});
if (what === "backup")
  await make_backup(store, folder, { token: "1", node: "bench", volume_id: null }, null, meter);
else {
  const [backup] = store.list();
  if (backup?.how !== "whole") throw new Error("there is no backup");
  await unpack(store.archive(backup.id), backup.manifest, folder, meter);
  execFileSync(guard, ["probe", "sync", folder]);
}
console.log(process.resourceUsage().maxRSS);
