// Two changes in one tick of an NFS server's clock, and a look between them: one-tick VERSION

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parse_dir, parse_probe } from "../../../src/guard/probe-result.ts";
import { guard } from "../../support/hand.ts";
import { machines } from "../../support/machines.ts";
import { Nfs } from "../../support/nfs.ts";
import { scene_end, tell } from "../../support/scene.ts";

const rounds = 20;
const { server: host, client } = (await machines(["server", "client"])).machines;
const server = new Nfs(host);
server.mount(client, "/mnt/data", process.argv[2] === "3" ? "3" : "4.2");

/** Name → content, by the probe. */
function probed(path: string): Map<string, string> {
  const stdout = execFileSync(guard, ["probe", "dir", path, "100"], { input: "" });
  const files = parse_dir(parse_probe(stdout)[0]?.content ?? Buffer.alloc(0)) ?? [];
  return new Map(files.map(({ name, content }) => [name, content.toString()]));
}

const hidden = { names: 0, contents: 0 };
const hidden_from_probe = { names: 0, contents: 0 };
for (let round = 0; round < rounds; round++) {
  const [there, here] = [`${host.root}${server.folder}/${round}`, `${client.root}/mnt/data/${round}`];
  mkdirSync(there);
  writeFileSync(`${there}/file`, "0");
  await sleep(50);
  readdirSync(here);
  writeFileSync(`${there}/first`, "");
  readdirSync(here);
  writeFileSync(`${there}/second`, "");
  await sleep(50);
  writeFileSync(`${there}/file`, "1", { flag: "r+" });
  readFileSync(`${here}/file`, "utf8");
  writeFileSync(`${there}/file`, "2", { flag: "r+" });
  await sleep(50);
  if (!readdirSync(here).includes("second")) hidden.names++;
  if (readFileSync(`${here}/file`, "utf8") !== "2") hidden.contents++;
  const seen = probed(here);
  if (!seen.has("second")) hidden_from_probe.names++;
  if (seen.get("file") !== "2") hidden_from_probe.contents++;
}
tell("one-tick", { rounds, hidden, hidden_from_probe });
scene_end();
