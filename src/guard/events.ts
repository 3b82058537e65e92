// What the guard says: frames.md, "From the guard".

const statuses = ["done", "past", "beyond", "late", "not_empty", "no_tenure", "no_app"] as const;
const whys = ["deadline", "order", "main_ended", "outer_died", "inner_died", "controller_died"] as const;
const hows = ["exit", "signal", "not_executed", "not_forked"] as const;

/** The answer to an order. All but `done` say that it changed nothing. */
export type Status = (typeof statuses)[number];
type Why = (typeof whys)[number];
export type How = (typeof hows)[number];

/** at_ns: CLOCK_BOOTTIME of the guard when it sent this. */
export type GuardEvent = { at_ns: bigint } & (
  | {
      event: "welcome";
      version: number;
      pid1: boolean;
      can_kill: boolean;
      tty: boolean;
      no_new_privs: boolean;
      outer: number;
    }
  | { event: "ack"; sequence: number; status: Status }
  | { event: "started"; tenure: bigint; pid: number }
  /** value: exit code, signal, or errno. */
  | { event: "exited"; tenure: bigint; how: How; value: number }
  | { event: "killing"; tenure: bigint; why: Why }
  | { event: "empty"; tenure: bigint; reaped: number }
  /** state: the letter of /proc/PID/stat, or P: permission to kill is missing. */
  | { event: "undead"; tenure: bigint; left: number; pid: number; state: string; since_ms: number }
  /** forwarded: the app has it already; else it is the controller's to act on. */
  | { event: "signalled"; signal: number; forwarded: boolean }
  | { event: "mounts" }
  | { event: "orphaned" }
);

/** undefined: not what a frame of this type holds. */
export function decode(type: number, at_ns: bigint, payload: Buffer): GuardEvent | undefined {
  const n = payload.length;
  const u32 = (at: number): number => payload.readUInt32LE(at);
  const tenure = n >= 8 ? payload.readBigUInt64LE(0) : 0n;
  switch (type) {
    case 64: {
      if (n !== 12) return undefined;
      const flag = (bit: number): boolean => (u32(4) & bit) !== 0;
      const flags = { pid1: flag(1), can_kill: flag(2), tty: flag(4), no_new_privs: flag(8) };
      return { at_ns, event: "welcome", version: u32(0), ...flags, outer: u32(8) };
    }
    case 65: {
      const status = n === 8 ? statuses[u32(4)] : undefined;
      return status && { at_ns, event: "ack", sequence: u32(0), status };
    }
    case 66:
      return n === 12 ? { at_ns, event: "started", tenure, pid: u32(8) } : undefined;
    case 67: {
      const how = n === 16 ? hows[u32(8)] : undefined;
      return how && { at_ns, event: "exited", tenure, how, value: u32(12) };
    }
    case 68: {
      const why = n === 12 ? whys[u32(8) - 1] : undefined;
      return why && { at_ns, event: "killing", tenure, why };
    }
    case 69:
      return n === 12 ? { at_ns, event: "empty", tenure, reaped: u32(8) } : undefined;
    case 70: {
      if (n !== 24) return undefined;
      const state = String.fromCharCode(u32(16) & 0x7f);
      return { at_ns, event: "undead", tenure, left: u32(8), pid: u32(12), state, since_ms: u32(20) };
    }
    case 71:
      return n === 8 && u32(4) <= 1
        ? { at_ns, event: "signalled", signal: u32(0), forwarded: u32(4) === 1 }
        : undefined;
    case 72:
      return n === 0 ? { at_ns, event: "mounts" } : undefined;
    case 73:
      return n === 0 ? { at_ns, event: "orphaned" } : undefined;
    default:
      return undefined;
  }
}
