// A pseudo terminal with a program as its session's leader. It needs a C compiler.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { TestContext } from "node:test";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { compile } from "./hand.ts";
import { all_processes, descendants, is_alive } from "./processes.ts";

export type PtyOptions = { cols?: number; rows?: number; env?: NodeJS.ProcessEnv; cwd?: string };

type PtyExit = { code: number | null; signal: NodeJS.Signals | null };

/** tcgetattr: the four flag words and the control characters, in hexadecimal. To be compared. */
type Modes = { iflag: string; oflag: string; cflag: string; lflag: string; cc: string };

export type Pty = {
  /** The process that holds the terminal's other end; the program's parent. */
  helper: ChildProcess;
  /** Of the program, which leads the session and its first process group. */
  pid: number;
  /** Types: "\x03" is Ctrl-C, "\x1a" Ctrl-Z, "\x04" the end of input. */
  write(text: string | Uint8Array): void;
  /** All that came out so far. The terminal turns "\n" into "\r\n" and echoes what is typed, unless told otherwise. */
  output(): string;
  /** Resolves with the match once the output after the last match has it. */
  wait_for(text: string | RegExp, timeout_ms?: number): Promise<string>;
  resize(cols: number, rows: number): Promise<void>;
  /** Closes the terminal's other end, as a lost connection does. After it only exit and close are left. */
  hangup(): Promise<void>;
  /** Stops and goes on reading what comes out: meanwhile a few kB fit, then whoever writes blocks. */
  stop_reading(): Promise<void>;
  go_on_reading(): Promise<void>;
  modes(): Promise<Modes>;
  foreground_pgrp(): Promise<number>;
  /** Of the program. The terminal is there, with its modes, until close. */
  exit: Promise<PtyExit>;
  /** Hangs up; kills what is left of the session and the program's descendants. Runs after the test anyway. */
  close(): Promise<void>;
};

export async function open_pty(
  t: TestContext,
  argv: readonly string[],
  options: PtyOptions = {},
): Promise<Pty> {
  const { cols = 80, rows = 24, env = process.env, cwd = "/" } = options;
  const helper = spawn(compile("test/fixtures/pty.c"), [`${cols}`, `${rows}`, ...argv], {
    stdio: ["pipe", "pipe", "inherit", "pipe", "pipe"],
    env: { TERM: "xterm", ...env },
    cwd,
    detached: true,
  });
  const [typed, shown, , commands, answers] = helper.stdio as [Writable, Readable, null, Writable, Readable];
  const ended = new Promise((resolve) => helper.on("close", resolve));
  // Commands that cross its end, and typing into a closed terminal, go nowhere.
  for (const pipe of [commands, typed]) pipe.on("error", () => {});

  let output = "";
  let seen = 0;
  shown.on("data", (chunk: Buffer) => (output += chunk.toString("latin1")));

  const waiting: { resolve(answer: string[]): void; reject(error: Error): void }[] = [];
  const { promise: pid, resolve: know_pid } = Promise.withResolvers<number>();
  const { promise: exit, resolve: know_exit } = Promise.withResolvers<PtyExit>();
  createInterface(answers).on("line", (line) => {
    const [word = "", ...rest] = line.split(" ");
    const number = Number(rest[0]);
    if (word === "pid") know_pid(number);
    else if (word === "exit") know_exit({ code: number, signal: null });
    else if (word === "signal") know_exit({ code: null, signal: signal_name(number) });
    else if (word === "error")
      waiting.shift()?.reject(new Error(`the terminal says error ${rest.join(" ")}`));
    else waiting.shift()?.resolve(rest);
  });
  const command = (text: string): Promise<string[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    waiting.push({ resolve, reject });
    commands.write(`${text}\n`);
    return promise;
  };

  const leader = await pid;
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    // The leader may have died before its children, and they may have sessions of their own.
    const left = [...descendants(leader), ...all_processes().filter(({ pid }) => session_of(pid) === leader)];
    commands.end();
    await ended;
    for (let round = 0; round < 5 && left.some(is_alive); round++) {
      for (const one of left) if (is_alive(one)) process.kill(one.pid, "SIGKILL");
      await sleep(20);
    }
  };
  const close = (): Promise<void> => (closing ??= end());
  t.after(close);

  return {
    helper,
    pid: leader,
    write: (text) => void typed.write(text),
    output: () => output,
    async wait_for(text, timeout_ms = 10_000) {
      for (const start = Date.now(); ; await sleep(5)) {
        const rest = output.slice(seen);
        const found =
          typeof text === "string" ? (rest.includes(text) ? text : undefined) : text.exec(rest)?.[0];
        if (found !== undefined) {
          seen += rest.indexOf(found) + found.length;
          return found;
        }
        if (Date.now() - start > timeout_ms) {
          throw new Error(`the terminal doesn't show ${text} but ${JSON.stringify(rest)}`);
        }
      }
    },
    resize: async (new_cols, new_rows) => void (await command(`resize ${new_cols} ${new_rows}`)),
    hangup: async () => void (await command("hangup")),
    stop_reading: async () => void (await command("stop")),
    go_on_reading: async () => void (await command("go")),
    async modes() {
      const [iflag = "", oflag = "", cflag = "", lflag = "", cc = ""] = await command("modes");
      return { iflag, oflag, cflag, lflag, cc };
    },
    foreground_pgrp: async () => Number((await command("pgrp"))[0]),
    exit,
    close,
  };
}

function signal_name(number: number): NodeJS.Signals {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return names.find(([, value]) => value === number)?.[0] ?? (`SIG${number}` as NodeJS.Signals);
}

function session_of(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/.*\) /s, "").split(" ");
    return Number(fields[3]);
  } catch {
    return undefined;
  }
}
