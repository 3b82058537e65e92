import type { Event } from "../core/event.ts";
import type { GuardEvent } from "../guard/events.ts";

/** What the guard says, as the core takes it; null: nothing that the core decides on. */
export function core_event(event: GuardEvent): Event | null {
  switch (event.event) {
    case "started":
      return { type: "started", tenure: event.tenure, pid: event.pid };
    case "exited":
      return { type: "ended", tenure: event.tenure, end: { how: event.how, value: event.value } };
    case "killing":
      return { type: "killing", tenure: event.tenure, why: event.why };
    case "empty":
      return { type: "empty", tenure: event.tenure };
    case "undead": {
      const { left, pid, state, since_ms } = event;
      const why = state === "P" ? "the permission to kill is missing" : `process ${pid} is in state ${state}`;
      const what = `${left} of the app's processes can't be killed for ${since_ms} ms (${why})`;
      return { type: "undead", tenure: event.tenure, what };
    }
    case "signalled":
      return event.forwarded ? null : { type: "stop", signal: event.signal };
    case "welcome":
    case "ack":
    case "mounts":
    case "orphaned":
      return null;
  }
}
