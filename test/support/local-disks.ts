// An example's configuration and scripts as they lie in examples/, on nodes that have a disk each and share a store: only the places
// in them are exchanged for those of the test.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Contender, Contenders, type Owner } from "./contenders.ts";
import { quiet_port } from "./databases.ts";
import { guard } from "./hand.ts";
import { label } from "./volume.ts";

/** What runs on a node's disk. It makes its data where there is none, as images' entry points do. */
type Served = {
  app: (data: string) => readonly string[];
  /** More options of leasehold. */
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
};

/** With a client of it. */
export type Server = Served & {
  begin?: () => void;
  insert: (number: number) => void;
  stored: () => number[];
};

export type LocalDisks = {
  root: string;
  /** Where the example's files are, its scripts' settings too. */
  etc: string;
  store: string;
  data: (node: string) => string;
  begin: (node: string, served: Served) => Contender;
  /** Once it is the holder and its app is ready. */
  start: (node: string, served: Served) => Promise<Contender>;
  /** A leasehold command with the example's configuration, on that node. */
  command: (node: string, ...argv: string[]) => Ended;
  /** `leasehold backup now`. */
  back_up: (one: Contender) => Promise<void>;
  /** What the holder's `/status` and `/metrics` say is at risk. */
  at_risk: () => Promise<{ status_ms: number; metric_s: number }>;
  stop: (one: Contender) => Promise<void>;
  /** The node with its disk is no more. */
  destroy: (one: Contender) => Promise<void>;
};
type Ended = { status: number | null; stdout: string; stderr: string };

const examples = join(import.meta.dirname, "../../examples");

export async function local_disks(
  t: Owner,
  example: string,
  file: string,
  ttl_ms = 3000,
): Promise<LocalDisks> {
  const root = mkdtempSync(join(tmpdir(), "leasehold-disks-"));
  t.after(async () => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o777); // servers put their sockets there
  const [etc, lock, store] = [join(root, "etc"), join(root, "lock"), join(root, "store")];
  for (const path of [lock, store]) {
    mkdirSync(path);
    label(path, ttl_ms);
  }
  cpSync(join(examples, example), etc, { recursive: true });
  const config = join(etc, file);
  const places: [RegExp, string][] = [
    [/etcd:\S+/, `file://${lock}`],
    [/\/srv\/\w+\/data$/m, `${root}/{node}/data`],
    [/\/etc\/leasehold/g, etc],
    [/\/backups(,type=\w+)?/g, store],
  ];
  for (const name of readdirSync(etc)) {
    const path = join(etc, name);
    const text = places.reduce(
      (before, [place, here]) => before.replace(place, here),
      readFileSync(path, "utf8"),
    );
    writeFileSync(path, text);
  }
  assert.doesNotMatch(readFileSync(config, "utf8"), /etcd:|\/srv|\/backups|\/etc\/leasehold/);
  appendFileSync(config, `ttl: ${ttl_ms}ms\ndrain: 200ms\nbackup-name: app\n`);
  const port = await quiet_port();
  const contenders = new Contenders(t);
  const data = (node: string): string => join(root, node, "data");
  const read = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const begin: LocalDisks["begin"] = (node, { app, args = [], env = {} }) => {
    mkdirSync(join(root, node), { recursive: true });
    const options = ["--config", config, "--listen", `${port}`, ...args];
    return contenders.start({ lock: `file://${lock}`, node, args: options, app: app(data(node)), env });
  };

  return {
    ...{ root, etc, store, data },
    begin,
    async start(node, served) {
      const one = begin(node, served);
      const ended = one.exit.then(() => Promise.reject(new Error(`it ended\n${one.story()}`)));
      await Promise.race([one.line(/^the app is ready$/), ended]);
      ended.catch(() => {});
      return one;
    },
    command(node, ...argv) {
      const words = [...argv, "--config", config, "--node", node];
      const { status, stdout, stderr } = spawnSync(guard, words, { encoding: "utf8", timeout: 60_000 });
      return { status, stdout, stderr };
    },
    async back_up(one) {
      const words = ["backup", "now", "--pid", String(one.outer)];
      const { status, stderr } = spawnSync(guard, words, { encoding: "utf8" });
      assert.equal(status, 0, `${stderr}${one.story()}`);
    },
    async at_risk() {
      const { backup } = JSON.parse(await read("/status")) as { backup: { at_risk_ms: number } };
      const [, metric] =
        /^leasehold_backup_at_risk_seconds(?:\{.*\})? (\S+)$/m.exec(await read("/metrics")) ?? [];
      return { status_ms: backup.at_risk_ms, metric_s: Number(metric) };
    },
    async stop(one) {
      one.signal("SIGTERM");
      await one.exited();
    },
    async destroy(one) {
      one.vanish();
      await one.exit;
      rmSync(join(root, one.node), { recursive: true });
    },
  };
}
