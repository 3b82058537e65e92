import type { Effect, Step } from "./effect.ts";
import type { Event } from "./event.ts";
import type { Rules, State } from "./state.ts";

export type Context = { rules: Rules; now_ns: bigint };
type Kind = Event["type"];
type EventOf<K extends Kind> = Extract<Event, { type: K }>;
type Handler<S extends State, K extends Kind> = (state: S, event: EventOf<K>, context: Context) => Step;

/** An answer to every event: the compiler refuses a table with a hole. */
export type Handlers<S extends State> = { [K in Kind]: Handler<S, K> };

export function next(state: State, effects: Effect[], because: string | null): Step {
  return { state, effects, because };
}
export function stay(state: State): Step {
  return { state, effects: [], because: null };
}

/** Events that change nothing in a state: late answers, and what concerns others. */
export function ignore<K extends Kind>(...kinds: K[]): { [One in K]: (state: State) => Step } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- filled by the next line
  const handlers = {} as { [One in K]: (state: State) => Step };
  for (const kind of kinds) handlers[kind] = stay;
  return handlers;
}

/** Of events that name a tenure: whether it is this one. All others are late. */
export function is_late(state: { tenure: { id: bigint } }, event: { tenure: bigint }): boolean {
  return event.tenure !== state.tenure.id;
}
