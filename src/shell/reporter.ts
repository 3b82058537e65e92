import pkg from "../../package.json" with { type: "json" };
import type { Config } from "../config/load.ts";
import type { Event } from "../core/event.ts";
import type { State, Tenure } from "../core/state.ts";
import { deadline } from "../core/tenure.ts";
import { ms_between, type Time } from "../core/time.ts";
import { exitCodes } from "../errors.ts";
import type { Log } from "../ops/log.ts";
import type { ServiceManager } from "../ops/service-manager.ts";
import type { Leader, Status, StatusSource } from "../ops/status.ts";
import type { Safekeeping } from "./safekeeping.ts";
import type { Entry, Supervisor } from "./supervisor.ts";
import type { Volumes } from "./volumes.ts";

type ReporterOptions = {
  config: Config;
  instance: string;
  lock_url: string;
  time: Time;
  log: Log;
  volumes: Pick<Volumes, "status">;
  /** null: there is no data directory. */
  data: Pick<Safekeeping, "restoring" | "status"> | null;
  /** null: nobody asked to be told. */
  service: Pick<ServiceManager, "status"> | null;
};

/** What people and probes get to see of the supervisor: the log, the status, the counters. */
export class Reporter implements StatusSource {
  readonly #options: ReporterOptions;
  readonly #counts = { ok: 0, failed: 0, starts: 0, losses: 0, hooks_ok: 0, hooks_failed: 0 };
  #last_proof_ms: number | null = null;
  #started_ns = 0n;
  #ready_after_ms: number | null = null;
  #holder: Leader | null = null;
  #last_tenure: Tenure | null = null;
  #told = false;
  supervisor: Supervisor | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  get lock_url(): string {
    return this.#options.lock_url;
  }
  /** The last one, also when it is over. */
  get tenure(): Tenure | null {
    return this.#last_tenure;
  }

  entry({ because, state }: Entry): void {
    const { log, service } = this.#options;
    const now = this.supervisor?.state;
    if (now?.at === "exited" && now.because === because) return; // the last line: exit()
    const token = this.#last_tenure ? String(this.#last_tenure.token) : null;
    const stopping = now?.at === "stopping" && now.ending.why === "stop-requested";
    service?.status(because, stopping);
    log.info(this.#introduced(because), token === null ? { state } : { state, token });
  }

  /** The first sentence says which lock it is about: what is waited for, and who has it, is one line. */
  #introduced(sentence: string): string {
    if (this.#told) return sentence;
    this.#told = true;
    const { config, lock_url } = this.#options;
    return `${sentence} (${lock_url}, asked for as ${config.node})`;
  }

  /** The last line says why. */
  exit(code: number, because: string): void {
    const failed = Object.values<number>(exitCodes).includes(code);
    this.#options.log[failed ? "error" : "info"](because, { state: "exited", code });
  }

  stepped(before: State, event: Event, after: State): void {
    const { config, instance, time } = this.#options;
    const counts = this.#counts;
    if ("tenure" in after) this.#last_tenure = after.tenure;
    switch (event.type) {
      case "proved": {
        counts.ok++;
        const asked_ns = "tenure" in before ? before.tenure.asked_ns : null;
        if (asked_ns !== null) this.#last_proof_ms = ms_between(asked_ns, time.now_ns());
        break;
      }
      case "unproved":
        counts.failed++;
        break;
      case "started":
        counts.starts++;
        this.#started_ns = time.now_ns();
        this.#ready_after_ms = null;
        break;
      case "hook-done":
        if (event.failure === null) counts.hooks_ok++;
        else counts.hooks_failed++;
        break;
      case "taken":
        this.#holder = { node: config.node, instance, address: config.advertise };
        break;
      case "busy": {
        const { holder } = event;
        this.#holder = holder && { node: holder.holder, instance: holder.instance, address: holder.address };
        break;
      }
      case "released":
        this.#holder = null;
        break;
      default:
        break;
    }
    if (after.at === "running" && after.pid !== null && after.unready === null)
      this.#ready_after_ms ??= ms_between(this.#started_ns, time.now_ns());
    const losing =
      after.at === "stopping" && (after.ending.why === "lease-lost" || after.ending.why === "volume-lost");
    if (losing && before.at === "running") counts.losses++;
  }

  status(): Status {
    const { config, instance, lock_url, time, log } = this.#options;
    const { supervisor } = this;
    const state: State = supervisor?.state ?? { at: "starting" };
    const tenure = "tenure" in state ? state.tenure : null;
    const counts = this.#counts;
    const now_ns = time.now_ns();
    const iso = (at_ns: bigint): string => new Date(Date.now() - ms_between(at_ns, now_ns)).toISOString();
    const history = supervisor?.history ?? [];
    return {
      state: state.at,
      since: iso(supervisor?.since_ns ?? now_ns),
      because: history.at(-1)?.because ?? "",
      version: pkg.version,
      node: config.node,
      instance,
      address: config.advertise,
      lock: lock_url,
      leading: tenure !== null && tenure.ours,
      ready: state.at === "running" && state.pid !== null && state.unready === null,
      holder: this.#holder,
      token: tenure ? String(tenure.token) : null,
      deadline_in_ms: tenure ? Math.round(ms_between(now_ns, deadline(config, tenure))) : null,
      proofs: { ok: counts.ok, failed: counts.failed, last_ms: this.#last_proof_ms },
      app: {
        starts: counts.starts,
        pid: state.at === "running" ? state.pid : null,
        unready: state.at === "running" ? state.unready : null,
        ready_after_ms: this.#ready_after_ms,
      },
      losses: counts.losses,
      hooks: { ok: counts.hooks_ok, failed: counts.hooks_failed },
      volumes: this.#options.volumes.status(),
      restoring: this.#options.data?.restoring ?? null,
      backup: this.#options.data?.status() ?? null,
      log: { dropped: log.dropped },
      history: history.map(({ at_ns, because }) => ({ at: iso(at_ns), because })),
    };
  }

  async listen(): Promise<void> {
    const { listen } = this.#options.config;
    if (listen === null) return;
    const http = await import("../ops/http.ts");
    await http.listen(listen, this, (sentence) => this.#options.log.warn(sentence));
  }
}
