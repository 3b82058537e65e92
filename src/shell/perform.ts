// Each effect of the core, done by an adapter, and each answer as an event. Nothing is decided here.

import type { Effect } from "../core/effect.ts";
import type { Event } from "../core/event.ts";
import type { Rules } from "../core/state.ts";
import { GuardLost, LockNewer, LockRefused, LockUnknown } from "../errors.ts";
import type { Guard } from "../guard/client.ts";
import type { Lock } from "../lock/lock.ts";
import type { Perform } from "./supervisor.ts";

export type GuardPort = Pick<
  Guard,
  "deadline" | "start" | "signal" | "kill" | "register_release" | "unregister_release" | "exit"
>;
export type Push = (event: Event) => void;
export type HookEffect = Extract<Effect, { do: "hook" }>;
type StartEffect = Extract<Effect, { do: "start" }>;
type ReleaseEffect = Extract<Effect, { do: "release" }>;
export type HookResult = { failure: string | null; alive: boolean };

export type Adapters = {
  rules: Rules;
  lock: Lock;
  guard: GuardPort;
  stop_scope: "main" | "group";
  /** What the app is started with, besides the tenure. */
  start: (token: bigint, lock_token: bigint) => Omit<Parameters<Guard["start"]>[0], "tenure">;
  run_hook: (effect: HookEffect) => Promise<HookResult>;
  /** Asks the app of this tenure whether it is ready, until it is told to end: `ready` and `unready`. */
  watch_ready: (tenure: bigint, push: Push) => void;
  drain: (until_ns: bigint) => Promise<string | null>;
  /** Before the lock is given back: ends what runs beside the app under this tenure. LockUnknown: something is left. */
  end_jobs?: (tenure: bigint) => Promise<void>;
  /** What the guard shall do for a dead controller, given the lock's release record. */
  release: (record: string) => Parameters<Guard["register_release"]>;
  on_exit: (code: number, because: string) => void;
  /** Something that must not happen: a defect. */
  on_defect: (error: unknown) => void;
};

export function performer(adapters: Adapters): Perform {
  const { lock, guard, on_defect } = adapters;
  let stop_waiting = new AbortController();
  let registered = "";
  let ends_unclean = false;
  let takes = 0;

  /** Errors that are answers become events; all else is a defect. GuardLost has its own way: the client tells it once. */
  const attempt = (work: Promise<void>): void => {
    work.catch((error: unknown) => {
      if (!(error instanceof GuardLost)) on_defect(error);
    });
  };
  const unknown = (error: unknown): string => {
    if (error instanceof LockUnknown || error instanceof LockRefused) return error.message;
    throw error;
  };

  /** The lock is given back for a dead controller as it would be by this one. */
  async function register(): Promise<void> {
    const record = lock.release_record();
    if (record === registered || ends_unclean) return;
    registered = record;
    await guard.register_release(...adapters.release(record));
  }

  async function take(push: Push): Promise<void> {
    takes += 1;
    ends_unclean = false;
    try {
      const answer = await lock.take();
      if (answer.kind === "taken") await register();
      push(
        answer.kind === "taken"
          ? { ...answer, lock_token: answer.lock_token ?? answer.token, type: "taken" }
          : { type: "busy", holder: answer.holder },
      );
    } catch (error) {
      if (error instanceof LockNewer) push({ type: "unknown", because: error.message, newer: true });
      else if (error instanceof LockRefused) push({ type: "refused", because: error.message });
      else push({ type: "unknown", because: unknown(error) });
    }
  }

  async function wait(push: Push): Promise<void> {
    stop_waiting = new AbortController();
    const { signal } = stop_waiting;
    try {
      await lock.wait(signal);
      if (!signal.aborted) push({ type: "free" });
    } catch (error) {
      if (!signal.aborted) push({ type: "unknown", because: unknown(error) });
    }
  }

  async function prove(tenure: bigint, push: Push): Promise<void> {
    try {
      const answer = await lock.prove();
      if (answer.kind === "proved") await register();
      push(
        answer.kind === "proved"
          ? { type: "proved", tenure, proof: answer.proof }
          : { type: "lost", tenure, because: answer.because },
      );
    } catch (error) {
      push({ type: "unproved", tenure, because: unknown(error) });
    }
  }

  async function mark(tenure: bigint, push: Push): Promise<void> {
    try {
      await lock.mark();
      await register();
      push({ type: "marked", tenure });
    } catch (error) {
      push({ type: "unmarked", tenure, because: unknown(error) });
    }
  }

  async function release({ tenure, state, failures }: ReleaseEffect, push: Push): Promise<void> {
    const taken = takes;
    try {
      // Registered is that it ended well. The storage tells of what it has lost once: a guard that flushes again hears nothing of it.
      if (state === "unclean") {
        registered = "";
        ends_unclean = true; // a proof may still be under way
        await guard.unregister_release();
      }
      await adapters.end_jobs?.(tenure);
      // It was lost meanwhile, and asked for anew: what is held now is the next tenure's.
      if (takes !== taken) return;
      await lock.release(state, failures);
      push({ type: "released", tenure });
    } catch (error) {
      push({ type: "unreleased", tenure, because: unknown(error) });
    }
  }

  async function deadline(tenure: bigint, deadline_ns: bigint, push: Push): Promise<void> {
    const status = await guard.deadline(tenure, deadline_ns);
    push(status === "done" ? { type: "deadline-set", tenure } : { type: "deadline-refused", tenure, status });
  }

  async function start({ tenure, token, lock_token }: StartEffect, push: Push): Promise<void> {
    const status = await guard.start({ tenure, ...adapters.start(token, lock_token) });
    if (status !== "done") push({ type: "start-refused", tenure, status });
  }

  async function hook(effect: HookEffect, push: Push): Promise<void> {
    push({
      type: "hook-done",
      hook: effect.hook,
      tenure: effect.tenure,
      ...(await adapters.run_hook(effect)),
    });
  }

  return (effect, push) => {
    switch (effect.do) {
      case "take":
        return attempt(take(push));
      case "wait":
        return attempt(wait(push));
      case "stop-waiting":
        return stop_waiting.abort();
      case "prove":
        return attempt(prove(effect.tenure, push));
      case "mark":
        return attempt(mark(effect.tenure, push));
      case "release":
        return attempt(release(effect, push));
      case "deadline":
        return attempt(deadline(effect.tenure, effect.deadline_ns, push));
      case "start":
        return attempt(start(effect, push));
      case "signal":
        return attempt(guard.signal(effect.signal, adapters.stop_scope, true).then(() => {}));
      case "watch-ready":
        return adapters.watch_ready(effect.tenure, push);
      case "kill":
        return attempt(guard.kill(effect.tenure, effect.close).then(() => {}));
      case "hook":
        return attempt(hook(effect, push));
      case "drain":
        return attempt(
          adapters
            .drain(effect.until_ns)
            .then((failure) => push({ type: "drained", tenure: effect.tenure, failure })),
        );
      case "exit":
        return adapters.on_exit(effect.code, effect.because);
    }
  };
}
