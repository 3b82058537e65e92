// For the test of the scenes themselves: smoke fails|hangs MARK

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { tell } from "../../support/scene.ts";

const [, , what, mark = ""] = process.argv;
mkdirSync("/mnt/smoke");
execFileSync("mount", ["-t", "tmpfs", mark, "/mnt/smoke"]);
execFileSync("ip", ["link", "add", "smoke", "type", "veth"]);
// It would outlive this process.
spawn("sh", ["-c", `: ${mark}; sleep 1000; :`], { detached: true, stdio: "ignore" }).unref();
tell("up", { mark });
if (what === "fails") throw new Error("as it was asked to");
setInterval(() => {}, 1000);
