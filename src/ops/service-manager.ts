import { promisify } from "node:util";

/** What systemd sets (sd_notify(3), sd_watchdog_enabled(3)). They are for us: an app that speaks there would speak for leasehold. */
export const service_variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

type Fields = Readonly<Record<string, string>>;
type ServiceOptions = {
  /** The process that systemd takes for the service's: the guard. */
  main_pid: number;
  on_note: (sentence: string) => void;
};

/** One message may take so long. systemd-notify waits until systemd has read it. */
const message_ms = 10_000;

/**
 * Tells systemd that the service is up, what it is doing, and that this event loop turns. Node has no socket of the kind that systemd wants, so
 * systemd's own program sends the messages, one at a time; of what comes meanwhile only the latest is sent.
 */
export class ServiceManager {
  readonly #on_note: ServiceOptions["on_note"];
  /** Of the messenger: nothing of what leasehold is told, a password perhaps. */
  readonly #env: NodeJS.ProcessEnv;
  readonly #pending = new Map<string, string>();
  #sending = false;
  #ready = false;
  #failed = false;

  private constructor({ PATH, NOTIFY_SOCKET }: NodeJS.ProcessEnv, { on_note }: ServiceOptions) {
    this.#env = { PATH, NOTIFY_SOCKET };
    this.#on_note = on_note;
  }

  /** null: nobody wants to be told. */
  static of(env: NodeJS.ProcessEnv, options: ServiceOptions): ServiceManager | null {
    if (!env.NOTIFY_SOCKET) return null;
    const manager = new ServiceManager(env, options);
    const every_ms = watchdog_ms(env, options.main_pid) / 2;
    if (Number.isFinite(every_ms)) setInterval(() => manager.#tell({ WATCHDOG: "1" }), every_ms).unref();
    return manager;
  }

  /** A standby is up, too: waiting is its work. */
  status(sentence: string, stopping: boolean): void {
    const first = this.#ready ? {} : { READY: "1" };
    this.#ready = true;
    this.#tell({ ...first, STATUS: sentence.replaceAll("\n", " "), ...(stopping && { STOPPING: "1" }) });
  }

  #tell(fields: Fields): void {
    for (const [name, value] of Object.entries(fields)) this.#pending.set(name, value);
    if (!this.#sending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    const { execFile } = process.getBuiltinModule("node:child_process");
    while (this.#pending.size > 0) {
      const words = [...this.#pending].map(([name, value]) => `${name}=${value}`);
      this.#pending.clear();
      try {
        await promisify(execFile)("systemd-notify", words, { env: this.#env, timeout: message_ms });
        this.#failed = false;
      } catch (error) {
        if (!this.#failed)
          this.#on_note(
            `systemd isn't told how leasehold is: systemd-notify failed (${reason_of(error)}); install it, or use Type=exec without WatchdogSec`,
          );
        this.#failed = true;
      }
    }
    this.#sending = false;
  }
}

/** How often it wants a sign of life at least; infinite: not at all, or of another process. */
function watchdog_ms({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv, main_pid: number): number {
  const ours = WATCHDOG_PID === undefined || WATCHDOG_PID === String(main_pid);
  const ms = Number(WATCHDOG_USEC) / 1000;
  return ours && ms > 0 ? ms : Number.POSITIVE_INFINITY;
}

function reason_of(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && error.code === "ENOENT") return "it is not there";
  const said = "stderr" in error && typeof error.stderr === "string" ? error.stderr.trim() : "";
  return said.split("\n").at(-1) || `it took longer than ${message_ms} ms`;
}
