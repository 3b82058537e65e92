import type { Proof } from "./lease.ts";
import type { LockRecord } from "./record.ts";
import type { AppEnd, Hook } from "./state.ts";

/** What the shell reports: answers to effects, the guard's events, time, the user. One at a time, in order. */
export type Event =
  | { type: "begin" }
  /** The time that wake_at() asked for has come; or any other moment. */
  | { type: "tick" }
  // ---- the lock ----
  | {
      type: "taken";
      token: bigint;
      lock_token: bigint;
      proof: Proof;
      previous: LockRecord | null;
      previous_seen_ns: bigint | null;
    }
  | { type: "busy"; holder: LockRecord | null }
  /** The lock may be free. */
  | { type: "free" }
  /** Nobody could say; or, newer, this leasehold can't read what it says there. */
  | { type: "unknown"; because: string; newer?: boolean }
  /** Trying again can't mend it. */
  | { type: "refused"; because: string }
  | { type: "proved"; tenure: bigint; proof: Proof }
  | { type: "unproved"; tenure: bigint; because: string }
  | { type: "lost"; tenure: bigint; because: string }
  | { type: "marked"; tenure: bigint }
  | { type: "unmarked"; tenure: bigint; because: string }
  | { type: "released"; tenure: bigint }
  | { type: "unreleased"; tenure: bigint; because: string }
  // ---- the guard ----
  /** The guard's answer to a deadline. */
  | { type: "deadline-set"; tenure: bigint }
  | { type: "deadline-refused"; tenure: bigint; status: string }
  | { type: "start-refused"; tenure: bigint; status: string }
  | { type: "started"; tenure: bigint; pid: number }
  | { type: "ended"; tenure: bigint; end: AppEnd }
  | { type: "killing"; tenure: bigint; why: string }
  | { type: "empty"; tenure: bigint }
  | { type: "undead"; tenure: bigint; what: string }
  // ---- the readiness check ----
  | { type: "ready"; tenure: bigint }
  /** Also before it was ever ready: the latest reason. */
  | { type: "unready"; tenure: bigint; because: string }
  // ---- hooks and the drain ----
  /** alive: something of it can't be killed. */
  | { type: "hook-done"; tenure: bigint; hook: Hook; failure: string | null; alive: boolean }
  | { type: "drained"; tenure: bigint; failure: string | null }
  // ---- the volume ----
  /** kill: what is left of it must not be written to any more. stop: the app may end by itself. */
  | { type: "volume-lost"; tenure: bigint; because: string; how: "kill" | "stop" }
  // ---- the user ----
  | { type: "stop"; signal: number };
