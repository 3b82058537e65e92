import type { Time } from "../../core/time.ts";
import type { Contender } from "../lock.ts";
import type { EtcdApi } from "./api.ts";
import { pause } from "../pause.ts";

/** Our key among the contenders, on a lease of its own. For status and discovery only: its failures wait for the next try. */
export class Registration {
  readonly #api: EtcdApi;
  readonly #time: Time;
  readonly #ttl_ms: number;
  readonly #ended = new AbortController();
  #running: Promise<void> | undefined;
  #lease: bigint | undefined;

  constructor(api: EtcdApi, time: Time, ttl_ms: number) {
    this.#api = api;
    this.#time = time;
    this.#ttl_ms = ttl_ms;
  }

  /** The first call begins it. */
  keep(key: string, who: Contender): void {
    this.#running ??= this.#run(key, JSON.stringify(who));
  }

  /** Takes it back, if etcd answers; otherwise its lease ends by itself. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    if (this.#lease !== undefined) await this.#api.revoke(this.#lease).catch(() => {});
    this.#lease = undefined;
  }

  async #run(key: string, value: string): Promise<void> {
    const ended = this.#ended.signal;
    while (!ended.aborted) {
      const registered = await this.#renew(key, value).catch(() => false);
      await pause(this.#time, this.#ttl_ms / (registered ? 3 : 10), ended);
    }
  }

  async #renew(key: string, value: string): Promise<boolean> {
    if (this.#lease !== undefined && (await this.#api.keep_alive(this.#lease)) > 0) return true;
    const { lease } = await this.#api.grant(Math.max(1, Math.ceil(this.#ttl_ms / 1000)));
    this.#lease = lease;
    await this.#api.txn([], [{ op: "put", key, value, lease }], []);
    return true;
  }
}
