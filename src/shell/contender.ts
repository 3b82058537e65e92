// One contender, put together: configuration, guard, lock, hooks, log, and the supervisor between them.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { environment_name, later_options, option_names } from "../config/options.ts";
import type { Config } from "../config/load.ts";
import type { Event } from "../core/event.ts";
import { ms_between } from "../core/time.ts";
import type { Rules } from "../core/state.ts";
import { defect, exitCodes } from "../errors.ts";
import { Guard } from "../guard/client.ts";
import { open_lock } from "../lock/open.ts";
import { open_log } from "../ops/log.ts";
import { write_termination } from "../ops/termination.ts";
import { core_event } from "./guard-events.ts";
import { hook_runner } from "./hooks.ts";
import { performer } from "./perform.ts";
import { Reporter } from "./reporter.ts";
import { Supervisor } from "./supervisor.ts";
import { real_time } from "./time.ts";

/** How long the release program may take, for a dead controller. */
const release_most_ms = 15_000;

/** leasehold's own configuration in the environment, which the app and the hooks don't get. */
const own_variables = [...option_names, ...later_options].map(environment_name);

/** Runs until the guard has been told to exit; then the process ends. */
export async function contend(config: Config): Promise<void> {
  const instance = randomUUID();
  const { node, timing } = config;
  const begun: { guard?: Guard; supervisor?: Supervisor; reporter?: Reporter; on_terminal?: boolean } = {};
  /** What the guard said before there was a supervisor: a stop, at most. */
  const early: Event[] = [];

  const guard = await Guard.connect({
    hello: {
      cap_ms: timing.ttl_ms,
      grace_ms: timing.loss_grace_ms,
      stop_signal: config.stop_signal,
      scope: config.stop_scope,
      json_log: config.log_format === "json",
    },
    on_event(event) {
      if (event.event === "welcome") begun.on_terminal = event.tty;
      if (event.event === "signalled" && !event.forwarded) begun.guard?.taken(event.signal).catch(() => {});
      const told = core_event(event);
      if (!told) return;
      const { supervisor } = begun;
      if (supervisor) step(() => supervisor.push(told));
      else early.push(told);
    },
    on_lost: (error) => die(error.message),
  });
  begun.guard = guard;
  const format = config.log_format ?? (begun.on_terminal === true ? "pretty" : "json");
  const log = open_log({ format, level: config.log_level, base: { node, instance } });
  for (const warning of config.warnings) log.warn(warning);

  const time = real_time(guard.clock);
  const identity = {
    holder: node,
    instance,
    boot_id: readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim(),
    address: config.advertise,
    volume_id: null,
  };
  const lock = await open_lock(config.lock, {
    identity,
    ttl_ms: timing.ttl_ms,
    attempt_ms: timing.attempt_ms,
    time,
    credentials: config.credentials,
    register: true,
    on_note: (sentence) => log.warn(sentence),
    on_lost(because) {
      const { supervisor } = begun;
      if (supervisor && "tenure" in supervisor.state) {
        const tenure = supervisor.state.tenure.id;
        step(() => supervisor.push({ type: "lost", tenure, because }));
      }
    },
  });
  const set = { LEASEHOLD_NODE: node, LEASEHOLD_INSTANCE: instance };
  const rules: Rules = {
    timing,
    stop_signal: config.stop_signal,
    when_busy: config.when_busy,
    wait_timeout_ms: config.wait_timeout_ms,
    on_loss: config.on_loss,
    hooks: {
      fence: config.hooks.fence !== null,
      pre_start: config.hooks.pre_start !== null,
      post_stop: config.hooks.post_stop !== null,
      lost: config.hooks.lost !== null,
    },
    drains: false,
    boot_id: identity.boot_id,
  };
  const reporter = new Reporter({ config, instance, lock_url: lock.url, time, log });
  begun.reporter = reporter;
  const supervisor = new Supervisor({
    rules,
    time,
    on_entry: (entry) => reporter.entry(entry),
    on_step: (before, event, after) => reporter.stepped(before, event, after),
    perform: performer({
      rules,
      lock,
      guard,
      stop_scope: config.stop_scope,
      start: (token) => ({
        unset: own_variables,
        set: Object.entries({
          ...set,
          LEASEHOLD_TOKEN: String(token),
          LEASEHOLD_LOCK_TOKEN: String(token),
        }).map(([name, value]) => `${name}=${value}`),
        argv: [],
      }),
      run_hook: hook_runner({
        commands: {
          fence: config.hooks.fence,
          "pre-start": config.hooks.pre_start,
          "post-stop": config.hooks.post_stop,
          lost: config.hooks.lost,
        },
        timeout_ms: config.hook_timeout_ms,
        time,
        unset: own_variables,
        set,
        on_line: (hook, line) => log.info(`${hook}: ${line}`),
      }),
      drain: () => Promise.resolve(null),
      release: (record) => [
        Buffer.from(`${record}\n`),
        { drain_ms: 0, release_ms: release_most_ms, paths: [] },
      ],
      on_exit: (code, because) => void exit(code, because),
      on_defect: die,
    }),
  });
  begun.supervisor = supervisor;
  reporter.supervisor = supervisor;
  await reporter.listen();
  step(() => supervisor.push({ type: "begin" }));
  for (const event of early) step(() => supervisor.push(event));

  async function exit(code: number, because: string): Promise<void> {
    terminate(code, because);
    await Promise.race([lock.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1000))]);
    log.close();
    await guard.exit(code).catch(() => {});
    process.exit(code);
  }
  /** The invariants are the core's: once one is broken nothing it says can be acted on. The guard does what is left. */
  function step(push: () => void): void {
    try {
      push();
    } catch (error) {
      die(error);
    }
  }
  function die(error: unknown): never {
    const because = typeof error === "string" ? error : defect(error);
    process.stderr.write(`leasehold: ${because}\n`);
    terminate(exitCodes.defect, because);
    process.exit(exitCodes.defect);
  }
  function terminate(code: number, because: string): void {
    const { tenure } = begun.reporter ?? { tenure: null };
    if (config.termination_log === null) return;
    const failure = write_termination(config.termination_log, {
      code,
      because,
      at: new Date().toISOString(),
      node,
      instance,
      lock: begun.reporter?.lock_url ?? "",
      token: tenure ? String(tenure.token) : null,
      last_proof_ms_ago: tenure ? Math.round(ms_between(tenure.proof.t0_ns, time.now_ns())) : null,
    });
    if (failure !== undefined) log.warn(failure);
  }
}
