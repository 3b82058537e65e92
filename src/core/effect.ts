import type { LockRecord } from "./record.ts";
import type { Hook, State } from "./state.ts";

/** What the shell is to do. It answers with events; it decides nothing. */
export type Effect =
  // ---- the lock ----
  | { do: "take" }
  /** Until it may be free. */
  | { do: "wait" }
  | { do: "stop-waiting" }
  | { do: "prove"; tenure: bigint }
  /** Makes the record beside the lock ours. */
  | { do: "mark"; tenure: bigint }
  | { do: "release"; tenure: bigint; state: "clean" | "unclean" | "as-found"; failures: number }
  // ---- the guard ----
  /** Opens the tenure, or moves its deadline. */
  | { do: "deadline"; tenure: bigint; deadline_ns: bigint }
  | { do: "start"; tenure: bigint; token: bigint; lock_token: bigint }
  | { do: "signal"; tenure: bigint; signal: number }
  /** Asks the app whether it is ready, again and again, for as long as it runs. */
  | { do: "watch-ready"; tenure: bigint }
  /** close: its jobs end as well. */
  | { do: "kill"; tenure: bigint; close: boolean }
  // ---- hooks, the volume's work, and the drain ----
  | {
      do: "hook";
      hook: Hook;
      tenure: bigint;
      previous: LockRecord | null;
      same_boot: boolean;
      because: string;
    }
  | { do: "drain"; tenure: bigint; until_ns: bigint }
  | { do: "exit"; code: number; because: string };

/** because: one sentence for log, status and history; null: nothing that anybody wants to know. */
export type Step = { state: State; effects: Effect[]; because: string | null };
