import type { Time } from "../../core/time.ts";
import { Failure } from "../../errors.ts";
import type { EtcdApi, KeyValue, WatchEvent } from "./api.ts";
import { parse_json } from "../json.ts";
import type { Line } from "../line.ts";
import type { Sighting } from "../sighting.ts";
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

export type WaitOptions = {
  api: EtcdApi;
  key: string;
  /** What the contenders' keys begin with. */
  contenders: string;
  time: Time;
  look_ms: number;
  sighting: Sighting;
  line: Line;
};

/**
 * Resolves when the key is seen deleted, or is not there; in a crowd (../line.ts) for all but the first a moment later, if it
 * isn't another's by then. Looks by itself every look_ms: a watch on a dead member is silent.
 */
export async function wait_for_delete(options: WaitOptions, abort: AbortSignal): Promise<void> {
  const { api, key, contenders, time, sighting, line } = options;
  const crowd = {
    count: () => api.count(contenders),
    names: async () => (await api.keys(contenders)).map((name) => name.slice(contenders.length)),
  };
  let hesitated = false;
  let holder: string | undefined;
  let asked_since: bigint | null = null;
  /** The key has gone. After a pause it has to be looked at again. */
  const is_our_turn = async (): Promise<boolean> => {
    const delay_ms = hesitated ? 0 : line.hesitation_ms(holder);
    if (delay_ms === 0) return true;
    await pause(time, delay_ms, abort);
    hesitated = true;
    return false;
  };
  const judge = (event: WatchEvent): boolean => {
    if (event.type === "put") sighting.see(event.kv.create_revision, event.kv.mod_revision);
    else sighting.ended();
    return event.type === "delete";
  };
  for (;;) {
    abort.throwIfAborted();
    await line.look(crowd).catch((error: unknown) => {
      // Who may not know, or can't just now, waits all the same.
      if (!(error instanceof Failure)) throw error;
    });
    const { kvs, revision } = await api.range(key);
    const [kv] = kvs;
    if (!kv) {
      // Its end fell between two watches. etcd still knows what happened in between.
      const since = sighting.unfinished;
      if (since !== null && since !== asked_since) {
        asked_since = since;
        await watch_for({ ...options, look_ms: replay_ms }, key, since, judge, abort);
      }
      if (await is_our_turn()) return;
      continue;
    }
    hesitated = false;
    const { instance } = parse_json(kv.value);
    holder = typeof instance === "string" ? instance : undefined;
    if (line.ahead !== null) {
      sighting.see(kv.create_revision);
      const at = contenders + line.ahead;
      const there = await api.range(at);
      const is_gone = (event: WatchEvent): boolean => event.type === "delete";
      if (there.kvs.length === 0 || (await watch_for(options, at, there.revision, is_gone, abort)))
        line.moved();
      continue;
    }
    sighting.see(kv.create_revision, kv.mod_revision);
    if ((await watch_for(options, key, revision, judge, abort)) && (await is_our_turn())) return;
  }
}

/** What etcd knows already it tells at once, if it tells it at all: not after a compaction, or where it was restored from a backup. */
const replay_ms = 1000;

/** Watches a key until an event is the one, which gives true, or until it is time to look. */
async function watch_for(
  { api, time, look_ms }: WaitOptions,
  key: string,
  after: bigint,
  is_it: (event: WatchEvent) => boolean,
  abort: AbortSignal,
): Promise<boolean> {
  const enough = new AbortController();
  let come = false;
  const take_back = time.after(look_ms, () => enough.abort());
  const on_event = (event: WatchEvent): void => {
    if (!is_it(event)) return;
    come = true;
    enough.abort();
  };
  try {
    await api.watch(key, after, on_event, AbortSignal.any([abort, enough.signal]));
    abort.throwIfAborted();
    if (!enough.signal.aborted) await pause(time, rewatch_ms, abort);
    return come;
  } finally {
    take_back();
  }
}
