import { join } from "node:path";
import { fresh_uuid } from "../../guard/kernel.ts";
import type { Operation } from "../../guard/probe.ts";
import { leasehold_folder } from "../../storage/identity.ts";
import { VolumeLease } from "../../storage/lease/lease.ts";
import { limit_of, ProbeStore } from "../../storage/lease/probe-store.ts";
import type { VolumeStore } from "../../storage/lease/store.ts";
import type { Busy, Lock, LockOptions, LockView, Lost, Proved, ReleaseState, Taken } from "../lock.ts";
import { type Changes, DirectoryChanges } from "./changes.ts";
import { look_at } from "./look.ts";
import { release_record_of } from "./release.ts";

export type FileTarget = { path: string };

/** What the simulator puts in place of the world. */
export type FilePorts = { store: VolumeStore; changes: Changes; random: () => number; uuid: () => string };

/**
 * The lock on the volume itself, with no server: the volume lease alone (docs/volume-lease.md). The fencing token is the number of
 * its claim.
 */
export class FileLock implements Lock {
  readonly url: string;
  readonly #path: string;
  readonly #lease: VolumeLease;
  readonly #options: LockOptions;
  readonly #changes: Changes;

  constructor({ path }: FileTarget, options: LockOptions, ports: Partial<FilePorts> = {}) {
    const { identity, ttl_ms, time, on_lost, on_note, register, volume } = options;
    const { id = null, view_age_ms = 0, local = false, paranoid = false } = volume ?? {};
    const { random = Math.random, uuid = fresh_uuid } = ports;
    const store = ports.store ?? new ProbeStore({ path, time, limit_ms: limit_of(options), stays: true });
    this.url = `file://${path}`;
    this.#path = path;
    this.#options = options;
    this.#changes = ports.changes ?? new DirectoryChanges(join(path, leasehold_folder), time, local);
    this.#lease = new VolumeLease({
      ...{ store, time, path, identity, ttl_ms, random, uuid, paranoid, view_age_ms },
      ...{ mode: "file", volume_id: id, register: register ?? true, on_ended: on_lost },
      ...(on_note && { on_note }),
    });
  }

  async take(): Promise<Taken | Busy> {
    const answer = await this.#lease.acquire();
    if (answer.kind === "refused") return { kind: "busy", holder: answer.holder };
    const { claim: token, proof, previous, previous_seen_ns } = answer;
    return { kind: "taken", token, proof, previous, previous_seen_ns };
  }

  mark(): Promise<void> {
    return this.#lease.mark();
  }

  prove(): Promise<Proved | Lost> {
    return this.#lease.prove();
  }

  release(state: ReleaseState, failures = 0): Promise<void> {
    return this.#lease.release(state, failures);
  }

  /** Resolves when everybody else is silent. */
  async wait(abort: AbortSignal): Promise<void> {
    for (;;) {
      abort.throwIfAborted();
      const seen = await this.#lease.observe();
      abort.throwIfAborted();
      if (seen.silent) return;
      await this.#changes.wait(this.#lease.next_look_ms(seen, this.#changes.heard), abort);
    }
  }

  look(): Promise<LockView> {
    return look_at(this.#lease);
  }

  release_record(): string {
    const limit_ms = limit_of(this.#options);
    return JSON.stringify(release_record_of(this.#path, limit_ms, this.#lease.release_block()));
  }

  release_operation(): Operation | null {
    const block = this.#lease.release_block();
    return (
      block && { do: "write", path: join(this.#path, leasehold_folder, block.name), content: block.content }
    );
  }

  async close(): Promise<void> {
    this.#changes.close();
    await this.#lease.close();
  }
}
