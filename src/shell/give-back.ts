// What the guard is to do for a dead controller, and the release program that does it: the device that was attached goes first, then
// the lock. The record lies in sealed memory; it holds credentials, and never touches a disk.
// Where one write gives the lock back, the guard's own probe does it (docs/decisions/0045), and the release program only if that fails.

import type { AttachPlan } from "../config/attach.ts";
import { LockUnknown } from "../errors.ts";
import { request_of } from "../guard/probe.ts";
import type { Lock } from "../lock/lock.ts";
import { release_lock } from "../lock/open.ts";
import { Attachment } from "../storage/attach.ts";
import { plain_time } from "./time.ts";

/** How long the release program may take for the lock. */
const lock_most_ms = 15_000;

/** A request to a probe begins with its number, and what the release program gets with a brace: so the guard knows whether there is one. */
const request_number = 0;

/** record: the lock's own. attached: it was begun, and its undoing has to come before the release. */
export function release_of(
  lock: Pick<Lock, "release_operation">,
  record: string,
  attached: AttachPlan | null,
): { bytes: Uint8Array; most_ms: number } {
  const line = Buffer.from(`${JSON.stringify({ lock: record, attached })}\n`);
  const operation = attached === null ? (lock.release_operation?.() ?? null) : null;
  const request = operation === null ? Buffer.alloc(0) : request_of(request_number, [operation]);
  const steps_ms = attached === null ? 0 : 2 * attached.step_timeout_ms;
  return { bytes: Buffer.concat([request, line]), most_ms: lock_most_ms + steps_ms };
}

/** Throws LockUnknown when the device can't be taken away: the lock stays then, until its lease ends. */
export async function give_back(line: string): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by release_of
  const { lock, attached } = JSON.parse(line) as { lock: string; attached: AttachPlan | null };
  if (attached !== null) {
    const on_line = (step: string, text: string): unknown =>
      process.stderr.write(`leasehold: ${step}: ${text}\n`);
    const attachment = new Attachment({ plan: attached, time: plain_time(), on_line });
    const { failure } = await attachment.take_away({});
    if (failure !== null)
      throw new LockUnknown(
        `${attached.path} could not be taken away: ${failure}`,
        attached.path,
        "the lock is kept until its lease ends",
      );
  }
  await release_lock(lock);
}
