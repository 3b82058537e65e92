// What breaks a volume, and what has to come of it: the rows of loss.test.ts and loss.long.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fact, scene } from "../support/scene.ts";
import { type Kind, ready, ready_locally, the_fact } from "./kinds.ts";

type Ending = { exit: number; says: RegExp };

export const is_hung: Ending = { exit: 81, says: /gave no answer .*, 2 times in a row/ };
export const is_full: Ending = { exit: 81, says: /has no space or no inode left \(\w+: ENOSPC\)/ };
/** Looked at every second, 1 s each, and lost after two looks: limit × misses + 1 s from the first one that hangs. */
export const hangs = { ...is_hung, within_ms: 1000 + 2 * 1000 + 1000 };

export type Loss = {
  kind: Kind;
  fault: string;
  /** etcd by default, and what an outage of it does. */
  lock?: "file" | "stop" | "hold";
  /** Of the holder: its exit code, and its last line. null: it keeps its app. vanished: nobody is left to say anything. */
  end: Ending | null | "vanished";
  /** Another contender runs the app then. */
  next: boolean;
};

/** Two contenders on two machines. */
export function on_a_network({ kind, fault, lock = "stop", end, next }: Loss): void {
  const outcome = end === null ? "kept" : end === "vanished" ? end : `exit ${end.exit}`;
  test(`${kind}, ${lock}: ${fault}: ${outcome}`, async (t) => {
    if (!ready(t, kind)) return;
    const words = lock === "file" ? ["file"] : ["etcd", lock];
    const options = { place: "uml", program: "loss-network", timeout_ms: 400_000 } as const;
    const facts = await scene({ ...options, args: [kind, fault, ...words] });
    const story = told(facts);
    t.diagnostic(story.facts);
    assert.equal(the_fact(facts, "overlap").overlap_ms, 0, story.log);
    for (const { alone } of named(facts, "alone")) assert.equal(alone, true, story.log);
    for (const { runs } of named(facts, "kept")) assert.equal(runs, true, story.log);
    assert.equal(named(facts, "kept").length > 0, end === null, story.log);
    if (end !== null && end !== "vanished") check_end(facts, end, story.log);
    assert.equal(named(facts, "next").length > 0, next, story.log);
  });
}

export type LocalLoss = {
  kind: "ext4" | "bindfs" | "glusterfs" | "moosefs";
  fault: string;
  exit: number;
  says: RegExp;
  /** Of a volume that hangs: the app is dead then, at the latest. */
  within_ms?: number;
};

/** One contender, and HTTP asked all the time. */
export function on_this_machine({ kind, fault, exit, says, within_ms = Infinity }: LocalLoss): void {
  test(`${kind}: ${fault}: exit ${exit}`, async (t) => {
    if (!ready_locally(t, kind)) return;
    const options = { place: "namespaces", program: "loss-local", timeout_ms: 180_000 } as const;
    const facts = await scene({ ...options, args: [kind, fault] });
    const story = told(facts);
    t.diagnostic(story.facts);
    check_end(facts, { exit, says }, story.log);
    const { app_ran_for_ms } = the_fact(facts, "dead");
    assert.ok(Number(app_ran_for_ms) <= within_ms, `${String(app_ran_for_ms)} ms\n${story.log}`);
    const { answers, failed } = the_fact(facts, "http");
    assert.ok(Number(answers) > 0);
    assert.equal(failed, 0, story.log);
  });
}

export function check_end(
  facts: readonly Fact[],
  { exit, says }: { exit: number; says: RegExp },
  log: string,
): void {
  const end = the_fact(facts, "end");
  assert.equal(end.exit, exit, log);
  assert.match(String(end.says), says, log);
}

export const named = (facts: readonly Fact[], name: string): Fact[] =>
  facts.filter(({ fact }) => fact === name);

export function told(facts: readonly Fact[]): { facts: string; log: string } {
  const others = facts.filter(({ fact }) => fact !== "story");
  const log = named(facts, "story").map(({ story }) => String(story));
  return { facts: others.map((fact) => JSON.stringify(fact)).join("\n"), log: log.join("\n") };
}
