// Restore and backup of one contender, as its states go by.

import type { State } from "../core/state.ts";
import type { Log } from "../ops/log.ts";
import type { BackupStatus } from "../ops/status.ts";
import { Backups } from "./backups.ts";
import { DataWork } from "./data.ts";
import type { DataOptions } from "./data-job.ts";
import type { Volumes } from "./volumes.ts";

type SafekeepingOptions = Pick<DataOptions, "plan" | "node" | "time" | "unset" | "set"> & {
  log: Pick<Log, "info" | "warn">;
  volumes: Pick<Volumes, "id_at">;
};

export class Safekeeping {
  readonly work: DataWork;
  readonly backups: Backups;

  constructor({ log, volumes, ...rest }: SafekeepingOptions) {
    const options: DataOptions = {
      ...rest,
      volume_id: () => volumes.id_at(rest.plan.path),
      on_note: (sentence) => log.info(sentence),
      on_warning: (sentence) => log.warn(sentence),
    };
    this.work = new DataWork(options);
    this.backups = new Backups(options);
  }

  /** How far a restore is; null: none is under way. */
  get restoring(): string | null {
    return this.work.progress;
  }
  status(): BackupStatus {
    return this.backups.status();
  }

  stepped(before: State, after: State): void {
    const [was, is] = [is_ready(before), is_ready(after)];
    if (is && !was && after.at === "running") {
      this.work.ready(after.tenure.id);
      void this.backups.ready(after.tenure.id);
    } else if (was && !is) {
      this.work.unready();
      this.backups.unready();
    }
    if (before.at !== "running" || after.at === "running") return;
    const stops = after.at === "stopping" && after.ending.why === "stop-requested";
    this.backups.stopped(stops ? after.kill_at_ns : null);
  }
}

function is_ready(state: State): boolean {
  return state.at === "running" && state.pid !== null && state.unready === null;
}
