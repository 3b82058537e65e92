import type { Time } from "../../core/time.ts";
import { Failure } from "../../errors.ts";
import type { EtcdApi, KeyValue } from "./api.ts";
import type { Sighting } from "../sighting.ts";
import { hesitation_ms } from "../crowd.ts";
import { pause, rewatch_ms } from "../pause.ts";

/** What the lock remembers of a tenure. over: why it is certainly not ours any more. */
export type Tenure = {
  readonly create: bigint;
  /** The revision of the last change that was seen: a rotation that compares with an older one can't be applied. */
  mod: bigint;
  readonly value: string;
  over: string | null;
  readonly watch: AbortController;
};

/** Why this key, as a quorum confirmed it, isn't this tenure's; null: it is. */
export function verdict(tenure: Tenure, key: string, kv: KeyValue | undefined): string | null {
  if (kv === undefined) return `the key ${key} is gone: deleted, or its lease ended`;
  if (kv.create_revision !== tenure.create)
    return `the key ${key} is another's (revision ${kv.create_revision})`;
  if (kv.value !== tenure.value) return `the key ${key} was overwritten (revision ${kv.mod_revision})`;
  return null;
}

/**
 * Watches the key of a tenure until it is aborted, or lost for certain: etcd only tells of what is committed, and what is
 * deleted, or created anew, after our revision was ours.
 */
export async function watch_tenure(
  tenure: Tenure,
  { api, key, time, on_lost }: { api: EtcdApi; key: string; time: Time; on_lost: (because: string) => void },
): Promise<void> {
  const { signal } = tenure.watch;
  const judge = (kv: KeyValue | undefined): void => {
    const because = verdict(tenure, key, kv);
    if (because !== null && !signal.aborted) on_lost(because);
  };
  let after = tenure.mod;
  while (!signal.aborted) {
    try {
      await api.watch(key, after, (event) => judge(event.type === "put" ? event.kv : undefined), signal);
      await pause(time, rewatch_ms, signal);
      const { kvs, revision } = await api.range(key);
      judge(kvs[0]);
      after = revision;
    } catch {
      // The next prove() says what is wrong. Here the watch begins anew where it ended.
      await pause(time, rewatch_ms, signal);
    }
  }
}

/** So many looks go by before the contenders are counted again. */
const looks_a_count = 10;

export type WaitOptions = {
  api: EtcdApi;
  key: string;
  /** What the contenders' keys begin with. */
  contenders: string;
  time: Time;
  look_ms: number;
  sighting: Sighting;
  random: (() => number) | undefined;
};

/**
 * Resolves when the key is seen deleted, or is not there; in a crowd (crowd.ts) a moment later, if it isn't another's by then.
 * Looks by itself every look_ms: a watch on a dead member is silent.
 */
export async function wait_for_delete(options: WaitOptions, abort: AbortSignal): Promise<void> {
  const { api, key, contenders, time, look_ms, sighting, random } = options;
  let count = 0;
  let hesitated = false;
  for (let looks = 0; ; looks++) {
    abort.throwIfAborted();
    if (looks % looks_a_count === 0) count = (await counted(api, contenders)) ?? count;
    const { kvs, revision } = await api.range(key);
    const [kv] = kvs;
    if (!kv) {
      const delay_ms = hesitated ? 0 : hesitation_ms(count, random);
      if (delay_ms === 0) return;
      await pause(time, delay_ms, abort);
      hesitated = true;
      continue;
    }
    hesitated = false;
    sighting.see(kv.create_revision, kv.mod_revision);
    const enough = new AbortController();
    const take_back = time.after(look_ms, () => enough.abort());
    const turn = { come: false, take_back: (): void => {} };
    const my_turn = (): void => {
      turn.come = true;
      enough.abort();
    };
    try {
      const signal = AbortSignal.any([abort, enough.signal]);
      await api.watch(
        key,
        revision,
        (event) => {
          turn.take_back();
          if (event.type === "put") return sighting.see(event.kv.create_revision, event.kv.mod_revision);
          sighting.ended();
          const delay_ms = hesitation_ms(count, random);
          if (delay_ms === 0) my_turn();
          else turn.take_back = time.after(delay_ms, my_turn);
        },
        signal,
      );
      abort.throwIfAborted();
      if (turn.come) return;
      if (!enough.signal.aborted) await pause(time, rewatch_ms, abort);
    } finally {
      take_back();
      turn.take_back();
    }
  }
}

/** undefined: who may not know, or can't just now, waits all the same. */
function counted(api: EtcdApi, contenders: string): Promise<number | undefined> {
  return api.count(contenders).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  });
}
