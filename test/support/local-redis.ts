// Redis as the example with restic has it: on a node's own disk, with a repository elsewhere.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { numbers, quiet_port, run } from "./databases.ts";
import type { LocalDisks, Server } from "./local-disks.ts";

export async function local_redis({ etc, root }: LocalDisks): Promise<Server> {
  const port = await quiet_port();
  const cli = (...words: string[]): string => run("root", ["redis-cli", "-p", `${port}`, ...words]);
  writeFileSync(join(etc, "restic.password"), "secret\n");
  const settings = {
    RESTIC_REPOSITORY: join(root, "repository"),
    RESTIC_PASSWORD_FILE: join(etc, "restic.password"),
    RESTIC_CACHE_DIR: join(root, "cache"),
    REDIS_PORT: port,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(etc, "restic.env"), lines.join(""));
  run("root", ["sh", "-c", `set -a; . ${etc}/restic.env; restic init --quiet`]);
  const server = (data: string): string =>
    `mkdir -p ${data} && exec redis-server --port ${port} --bind 127.0.0.1 --dir ${data} --save 3600 1`;
  return {
    app: (data) => ["sh", "-c", server(data)],
    args: ["--ready", `redis://127.0.0.1:${port}`],
    insert: (number) => void cli("rpush", "written", `${number}`),
    stored: () => numbers(cli("lrange", "written", "0", "-1")),
  };
}
