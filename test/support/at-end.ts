import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Has a shell script run when the returned function is called, or when this process ends by whatever death, SIGKILL
 * included: a shell of its own session waits for the end of a pipe that only this process holds. So a failed or killed
 * test leaves no mount, cgroup or process behind. Rejects when the script fails.
 */
export function at_end(script: string, ...args: readonly string[]): () => Promise<void> {
  const shell = spawn("sh", ["-c", `read -r end; ${script}`, "at-end", ...args], {
    stdio: ["pipe", "ignore", "pipe"],
    detached: true,
    cwd: "/",
  });
  let stderr = "";
  shell.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = once(shell, "close");
  // A test file may end while the shell still waits: that end is what it waits for.
  shell.unref();
  for (const pipe of [shell.stdin, shell.stderr]) (pipe as unknown as { unref(): void }).unref();

  let ended: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    shell.ref();
    shell.stdin.end();
    const [code] = (await closed) as [number | null];
    if (code !== 0) throw new Error(`the clean-up \`${script}\` ended with ${code}: ${stderr}`);
  };
  return () => (ended ??= end());
}
