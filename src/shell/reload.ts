// What a running contender takes over from a configuration that it has read again, and what it doesn't.

import type { createSecureContext } from "node:tls";
import type { Config } from "../config/load.ts";
import { option_names, type OptionName } from "../config/options.ts";
import { profiles } from "../config/profiles/all.ts";
import type { Rules } from "../core/state.ts";
import { ConfigError } from "../errors.ts";

/** All else was told to the guard or the lock service at the start, and stays as long as this leasehold runs. */
const reloadable = [
  "stop-timeout",
  "when-busy",
  "wait-timeout",
  "on-loss",
  "restart",
  "fence",
  "pre-start",
  "post-stop",
  "lost",
  "hook-timeout",
  "lock-user",
  "lock-password",
  "lock-password-file",
  "lock-ca-file",
  "lock-cert-file",
  "lock-key-file",
  "log-level",
] as const satisfies readonly OptionName[];

/** config: what is in effect from now on. */
export type Reloaded = { config: Config; changed: OptionName[]; needs_restart: OptionName[] };

/** Throws ConfigError when the credentials in `next` can't be used; then all stays as it was. */
export function reload(now: Config, next: Config): Reloaded {
  const { ca, cert, key } = next.credentials;
  check_certificates({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  const differing = option_names.filter((name) => differs(name, now, next));
  const is_reloadable = (name: OptionName): boolean => reloadable.some((known) => known === name);
  const values = { ...now.given.values };
  for (const name of reloadable) {
    delete values[name];
    Object.assign(values, name in next.given.values ? { [name]: next.given.values[name] } : {});
  }
  return {
    config: {
      ...now,
      when_busy: next.when_busy,
      wait_timeout_ms: next.wait_timeout_ms,
      on_loss: next.on_loss,
      restarts_max: next.restarts_max,
      hooks: next.hooks,
      hook_timeout_ms: next.hook_timeout_ms,
      credentials: next.credentials,
      log_level: next.log_level,
      timing: { ...now.timing, stop_timeout_ms: next.timing.stop_timeout_ms },
      given: { ...now.given, values },
    },
    changed: differing.filter(is_reloadable),
    needs_restart: differing.filter((name) => !is_reloadable(name)),
  };
}

/** The part of the rules that a configuration decides on. */
export function rules_of(
  {
    timing,
    stop_signal,
    when_busy,
    wait_timeout_ms,
    on_loss,
    hooks,
    volumes,
    attach,
    data,
    ready,
    restarts_max,
    profile,
  }: Config,
  boot_id: string,
): Rules {
  return {
    ...{ timing, stop_signal, when_busy, wait_timeout_ms, on_loss, restarts_max, boot_id },
    hooks: {
      fence: hooks.fence !== null,
      attach: attach !== null,
      verify: volumes.length > 0,
      restore: data !== null,
      data: profile !== null && profiles[profile].data !== null,
      pre_start: hooks.pre_start !== null,
      backup: data?.backup.on_stop === true,
      post_stop: hooks.post_stop !== null,
      lost: hooks.lost !== null,
    },
    drains: volumes.length > 0,
    ready_timeout_ms: ready?.timeout_ms ?? null,
  };
}

/** One sentence for the log. */
export function describe_reload({ changed, needs_restart }: Reloaded): string {
  const what = changed.length === 0 ? "nothing has changed in effect" : `changed: ${changed.join(", ")}`;
  const rest = needs_restart.length === 0 ? "" : `; needs a restart: ${needs_restart.join(", ")}`;
  return `the configuration was read again, ${what}${rest}`;
}

/** By what was given: a default that follows from another option is that option's change. Of files, what is in them counts, too. */
function differs(name: OptionName, now: Config, next: Config): boolean {
  if (name === "config") return false;
  const content = content_of(name);
  if (content && now.credentials[content] !== next.credentials[content]) return true;
  return JSON.stringify(now.given.values[name]) !== JSON.stringify(next.given.values[name]);
}

function content_of(name: OptionName): "password" | "ca" | "cert" | "key" | undefined {
  switch (name) {
    case "lock-password-file":
      return "password";
    case "lock-ca-file":
      return "ca";
    case "lock-cert-file":
      return "cert";
    case "lock-key-file":
      return "key";
    default:
      return undefined;
  }
}

function check_certificates(given: Parameters<typeof createSecureContext>[0]): void {
  try {
    process.getBuiltinModule("node:tls").createSecureContext(given);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no PEM";
    throw new ConfigError(
      `the certificates for the lock service can't be used (${code})`,
      code,
      "check that --lock-cert-file and --lock-key-file belong together",
    );
  }
}
