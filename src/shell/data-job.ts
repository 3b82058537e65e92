import type { DataPlan } from "../config/data.ts";
import type { Time } from "../core/time.ts";
import { ms_to_ns } from "../core/time.ts";
import type { WorkJob } from "../restore/job.ts";
import type { StoreAt } from "../restore/request.ts";

/** What all work on the data directory of one contender has in common. */
export type DataOptions = {
  plan: DataPlan;
  node: string;
  /** Of the volume that the data lies on. */
  volume_id: () => string | null;
  time: Time;
  unset: readonly string[];
  set: Readonly<Record<string, string>>;
  on_note: (sentence: string) => void;
  on_warning: (sentence: string) => void;
};

/** Under the lock: it dies with the tenure. */
export function job_of({ time, unset, set }: DataOptions, tenure: bigint, timeout_ms: number): WorkJob {
  const deadline_ns = time.now_ns() + ms_to_ns(timeout_ms);
  return {
    timeout_ms,
    deadline_ns,
    now_ns: () => time.now_ns(),
    tenure,
    page: true,
    app_env: true,
    unset,
    set,
  };
}

/** null: backups are the commands' own business. */
export function store_of({ store, app }: DataPlan): StoreAt | null {
  return store && app !== null ? { requirement: store, app } : null;
}
