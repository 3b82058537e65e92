import { LockUnknown } from "../errors.ts";
import { strangers_at, was_used } from "../guard/page.ts";

/** Job guards look at the page every 50 ms; longer is what can't be killed. */
const patience_ms = 2000;
const look_ms = 10;

/**
 * Resolves when no command of `leasehold exec` is left; the tenure has to be over already. Rejects with LockUnknown when one
 * can't be killed: the lock stays, until its lease ends.
 */
export async function until_alone(
  { page, id }: { page: string; id: string },
  own: readonly number[],
): Promise<void> {
  if (!was_used(page)) return;
  for (const end = performance.now() + patience_ms; ;) {
    const [stranger] = strangers_at(id, own);
    if (stranger === undefined) return;
    if (performance.now() > end) {
      throw new LockUnknown(
        `a command of leasehold exec is still alive (under process ${stranger})`,
        String(stranger),
        "the lock is kept until it is dead",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, look_ms));
  }
}
