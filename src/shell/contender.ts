// One contender, put together: configuration, guard, lock, hooks, log, and the supervisor between them.

import { environment_name, option_names } from "../config/options.ts";
import type { Config } from "../config/load.ts";
import type { Event } from "../core/event.ts";
import { ms_between } from "../core/time.ts";
import { defect, exitCodes, Failure } from "../errors.ts";
import { Guard } from "../guard/client.ts";
import { boot_id, fresh_uuid } from "../guard/kernel.ts";
import { page_of } from "../guard/page.ts";
import type { Lock } from "../lock/lock.ts";
import { open_lock } from "../lock/open.ts";
import { format_of, open_log } from "../ops/log.ts";
import { ServiceManager, service_variables } from "../ops/service-manager.ts";
import { type Termination, write_termination } from "../ops/termination.ts";
import { until_alone } from "./alone.ts";
import { AppData } from "./app-data.ts";
import { release_of } from "./give-back.ts";
import { core_event } from "./guard-events.ts";
import { commands_of, hook_runner, type HookOptions, type VolumeHook } from "./hooks.ts";
import { type HookEffect, type HookResult, performer } from "./perform.ts";
import { Readiness } from "./readiness.ts";
import { check_beside } from "./record-beside.ts";
import { describe_reload, reload, rules_of } from "./reload.ts";
import { Reporter } from "./reporter.ts";
import { Safekeeping } from "./safekeeping.ts";
import { Supervisor } from "./supervisor.ts";
import { real_time } from "./time.ts";
import { as_hook, Volumes } from "./volumes.ts";
import { witness_of } from "./witness.ts";

/** leasehold's own configuration in the environment, which the app and the hooks don't get. */
const own_variables = [...option_names.map(environment_name), ...service_variables];

/** Runs until the guard has been told to exit; then the process ends. read_again: on SIGHUP, which `leasehold reload` sends. */
export async function contend(
  config: Config,
  command: readonly string[],
  read_again: () => Promise<Config>,
): Promise<void> {
  const instance = fresh_uuid();
  const { node, timing } = config;
  const begun: {
    guard?: Guard;
    supervisor?: Supervisor;
    reporter?: Reporter;
    on_terminal?: boolean;
    volumes?: Volumes;
    /** Outer is dead. Inner, which speaks for it, has closed the tenure, and answers nothing. */
    orphaned?: boolean;
  } = {};
  /** What the guard said before there was a supervisor: a stop, at most. */
  const early: Event[] = [];

  const guard = await Guard.connect({
    hello: (tty) => ({
      cap_ms: timing.ttl_ms,
      grace_ms: timing.loss_grace_ms,
      stop_signal: config.stop_signal,
      scope: config.stop_scope,
      json_log: format_of(config.log_format, tty) === "json",
    }),
    on_event(event) {
      if (event.event === "welcome") begun.on_terminal = event.tty;
      if (event.event === "orphaned") begun.orphaned = true;
      if (event.event === "mounts") begun.volumes?.mounts_changed();
      if (event.event === "signalled" && !event.forwarded) begun.guard?.taken(event.signal).catch(() => {});
      const told = core_event(event);
      if (!told) return;
      const { supervisor } = begun;
      if (supervisor) step(() => supervisor.push(told));
      else early.push(told);
    },
    on_lost(error) {
      // Nothing of the app is left there, and what is under way needs no guard.
      const at = begun.supervisor?.state.at;
      if (at !== "releasing" && at !== "exited") die(error.message);
    },
  });
  begun.guard = guard;
  const format = format_of(config.log_format, begun.on_terminal === true);
  const log = open_log({ format, level: config.log_level, base: { node, instance } });
  for (const warning of config.warnings) log.warn(warning);
  if (config.lock.scheme === "memory")
    log.warn(
      "a memory: lock is this process's own, and keeps nobody else from running; it is for trying things out",
    );

  const time = real_time(guard.clock);
  const identity = {
    holder: node,
    instance,
    boot_id: boot_id(),
    address: config.advertise,
    volume_id: null as string | null,
  };
  /** The lock reads them at each use: a reload changes them in place. */
  const credentials = { ...config.credentials };
  const set = { LEASEHOLD_NODE: node, LEASEHOLD_INSTANCE: instance };
  const volumes = new Volumes({
    ...{ requirements: config.volumes, attach: config.attach, instance, ttl_ms: timing.ttl_ms, time },
    ...{ unset: own_variables, set },
    on_note: (sentence) => log.info(sentence),
    on_lost: (tenure, because, how) =>
      step(() => begun.supervisor?.push({ type: "volume-lost", tenure, because, how })),
  });
  begun.volumes = volumes;
  const data =
    config.data &&
    new Safekeeping({ plan: config.data, node, time, unset: own_variables, set, log, volumes });
  const app_data = new AppData({ config, command, time, log, volumes });
  const readiness = new Readiness({ rules: config.ready, time, unset: own_variables, set });
  let attached = false;
  const lock = await open().catch(give_up);
  const rules = rules_of(config, identity.boot_id);
  const hooks: HookOptions = {
    commands: commands_of(config.hooks),
    timeout_ms: config.hook_timeout_ms,
    ...{ time, unset: own_variables, set },
    on_line: (hook, line) => log.info(`${hook}: ${line}`),
    volume_work,
  };
  const service = ServiceManager.of(process.env, {
    main_pid: process.ppid,
    on_note: (sentence) => log.warn(sentence),
  });
  const reporter = new Reporter({ config, instance, lock_url: lock.url, time, log, volumes, data, service });
  begun.reporter = reporter;
  const supervisor = new Supervisor({
    rules,
    time,
    on_entry: (entry) => reporter.entry(entry),
    on_step(before, event, after) {
      reporter.stepped(before, event, after);
      if (after.at !== "preparing" && after.at !== "running" && after.at !== "stopping") volumes.unwatch();
      data?.stepped(before, after);
      if (after.at !== "running") readiness.unwatch();
    },
    perform: performer({
      rules,
      lock,
      guard,
      stop_scope: config.stop_scope,
      start: (token, lock_token) => ({
        unset: own_variables,
        set: Object.entries({
          ...set,
          LEASEHOLD_TOKEN: String(token),
          LEASEHOLD_LOCK_TOKEN: String(lock_token),
        }).map(([name, value]) => `${name}=${value}`),
        argv: [],
      }),
      run_hook: hook_runner(hooks),
      watch_ready: (tenure, push) => void readiness.watch(tenure, (event) => step(() => push(event))),
      drain: (until_ns) => volumes.drain(until_ns),
      async end_jobs(tenure) {
        if (begun.orphaned !== true) await guard.kill(tenure, true);
        const page = page_of("self");
        if (page) await until_alone(page, [process.pid, process.ppid]);
      },
      release: release_for_the_dead,
      on_exit: (code, because) => void exit(code, because),
      on_defect: die,
    }),
  });
  begun.supervisor = supervisor;
  reporter.supervisor = supervisor;
  await reporter.listen().catch(give_up);
  let in_effect = config;
  let reloading = Promise.resolve();
  process.on("SIGHUP", () => {
    reloading = reloading.then(read_and_apply);
  });
  step(() => supervisor.push({ type: "begin" }));
  for (const event of early) step(() => supervisor.push(event));

  /** The volumes are looked at before anything is claimed on them; those that are attached under the lock only then. */
  async function open(): Promise<Lock> {
    const options = {
      ...{ identity, ttl_ms: timing.ttl_ms, attempt_ms: timing.attempt_ms, time, credentials },
      on_note: (sentence: string) => log.warn(sentence),
      on_lost(because: string): void {
        const { supervisor } = begun;
        if (supervisor && "tenure" in supervisor.state) {
          const tenure = supervisor.state.tenure.id;
          step(() => supervisor.push({ type: "lost", tenure, because }));
        }
      },
    };
    if (config.volumes.length === 0 || config.attach !== null)
      return open_lock(config.lock, { ...options, register: true });
    const began_ns = time.now_ns();
    await check_beside(volumes, config.lock, options, () => {
      const most_ms =
        config.when_busy === "exit" ? 3 * timing.attempt_ms : (config.wait_timeout_ms ?? Infinity);
      return early.length > 0 || ms_between(began_ns, time.now_ns()) > most_ms;
    });
    identity.volume_id = volumes.ids;
    const volume = witness_of(config, volumes.reports[0], options.on_note);
    return open_lock(config.lock, { ...options, register: true, ...(volume && { volume }) });
  }
  function release_for_the_dead(record: string): Parameters<Guard["register_release"]> {
    const { bytes, most_ms } = release_of(lock, record, attached ? config.attach : null);
    const paths = config.volumes.map(({ path }) => path);
    return [bytes, { drain_ms: timing.drain_ms, release_ms: most_ms, paths }];
  }
  async function volume_work(hook: VolumeHook, { tenure, previous }: HookEffect): Promise<HookResult> {
    switch (hook) {
      case "attach":
        // Whoever gives the lock back for us has to take the device away before: it is told so before there is one.
        attached = true;
        await guard.register_release(...release_for_the_dead(lock.release_record()));
        return volumes.attach(tenure);
      case "detach":
        return volumes.detach().then((result) => {
          if (result.failure === null) attached = false;
          return result;
        });
      case "backup":
        return data ? data.backups.final(tenure) : { failure: null, alive: false };
      case "restore":
        return data ? data.work.restore(tenure, token_now(), previous) : { failure: null, alive: false };
      case "data":
        return app_data.prepare(tenure);
      case "verify":
        return as_hook(async () => {
          await volumes.check(previous, tenure);
          volumes.watch(tenure);
          if (identity.volume_id === volumes.ids) return;
          // They came only with the attach: the record beside the lock shall know them.
          identity.volume_id = volumes.ids;
          await lock.mark();
        });
    }
  }
  function token_now(): bigint {
    const { state } = supervisor;
    return "tenure" in state ? state.tenure.token : 0n;
  }
  async function read_and_apply(): Promise<void> {
    try {
      const reloaded = reload(in_effect, await read_again());
      in_effect = reloaded.config;
      supervisor.replace_rules(rules_of(in_effect, identity.boot_id));
      Object.assign(hooks, { commands: commands_of(in_effect.hooks), timeout_ms: in_effect.hook_timeout_ms });
      log.level = in_effect.log_level;
      for (const name of ["user", "password", "ca", "cert", "key"] as const) delete credentials[name];
      Object.assign(credentials, in_effect.credentials);
      const write = reloaded.needs_restart.length > 0 ? log.warn : log.info;
      write(describe_reload(reloaded));
    } catch (error) {
      if (!(error instanceof Failure)) die(error);
      log.error(`the configuration could not be read again, the one in effect stays: ${error.message}`);
    }
  }
  async function exit(code: number, because: string): Promise<void> {
    reporter.exit(code, because);
    terminate(code, because);
    await Promise.race([lock.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1000))]);
    log.close();
    await guard.exit(code).catch(() => {});
    process.exit(code);
  }
  /** What was wrong before anything began, once the guard is there: it ends with that code. */
  async function give_up(error: unknown): Promise<never> {
    if (!(error instanceof Failure)) return die(error);
    log.error(error.message, { state: "exited", code: error.exitCode });
    terminate(error.exitCode, error.message);
    log.close();
    await guard.exit(error.exitCode).catch(() => {});
    process.exit(error.exitCode);
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
    const { termination_log: path } = config;
    const failure = path === null ? undefined : write_termination(path, termination_of(code, because));
    if (failure !== undefined) log.warn(failure);
  }
  function termination_of(code: number, because: string): Termination {
    const { tenure = null, lock_url: lock = "" } = begun.reporter ?? {};
    const token = tenure && String(tenure.token);
    const last_proof_ms_ago = tenure && Math.round(ms_between(tenure.proof.t0_ns, time.now_ns()));
    return { code, because, at: new Date().toISOString(), node, instance, lock, token, last_proof_ms_ago };
  }
}
