import type { Proof } from "../../core/lease.ts";
import type { Time } from "../../core/time.ts";
import type { EtcdApi } from "./api.ts";

/** A lease of ours: what lies on it can't be another's before t0_ns + bound_ms. */
export type Lease = Proof & { id: bigint };

export function proof_of({ t0_ns, bound_ms }: Lease): Proof {
  return { t0_ns, bound_ms };
}

/** The leases that were granted to this contender and may still live. */
export class Leases {
  readonly #api: EtcdApi;
  readonly #time: Time;
  readonly #ttl_s: number;
  readonly #on_note: (sentence: string) => void;
  readonly #all = new Map<bigint, Lease>();
  #noted_s: number;

  constructor(api: EtcdApi, time: Time, ttl_ms: number, on_note: (sentence: string) => void) {
    this.#api = api;
    this.#time = time;
    this.#ttl_s = this.#noted_s = Math.max(1, Math.ceil(ttl_ms / 1000));
    this.#on_note = on_note;
  }

  async grant(): Promise<Lease> {
    const t0_ns = this.#time.now_ns();
    const { lease: id, ttl_s } = await this.#api.grant(this.#ttl_s);
    const lease = { id, t0_ns, bound_ms: ttl_s * 1000 };
    this.#all.set(id, lease);
    if (ttl_s !== this.#noted_s)
      this.#on_note(`etcd grants leases of ${ttl_s} s instead of ${this.#ttl_s} s`);
    this.#noted_s = ttl_s;
    return lease;
  }

  /**
   * Asks for one while the caller asks something else: who looks at a lock after a wait most often finds it free. `next` gives that one,
   * and after it others; `drop` gives back what nobody has taken.
   */
  ahead(): { next: () => Promise<Lease>; drop: () => void } {
    let granting: Promise<Lease> | null = this.grant();
    granting.catch(() => {});
    return {
      next: () => {
        const lease = granting ?? this.grant();
        granting = null;
        return lease;
      },
      drop: () => {
        granting?.then(({ id }) => this.revoke(id)).catch(() => {});
      },
    };
  }

  get(id: bigint): Lease | undefined {
    return this.#all.get(id);
  }

  /** Resolves when it is gone, with all that lies on it. */
  async revoke(id: bigint): Promise<void> {
    await this.#api.revoke(id);
    this.#all.delete(id);
  }

  /** Only when no transaction that names one of them can be applied any more. A failure is harmless: its TTL ends it. */
  revoke_others(but?: Lease): void {
    for (const id of this.#all.keys()) if (id !== but?.id) this.revoke(id).catch(() => {});
  }
}
