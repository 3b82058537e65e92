// Writes a volume's identity, once.

import { quoted } from "../config/quoted.ts";
import { ms_to_ns, type Time } from "../core/time.ts";
import { type Operation, run_probe } from "../guard/probe.ts";
import type { ProbeResult } from "../guard/probe-result.ts";
import {
  decode_identity,
  encode_identity,
  type Identity,
  identity_file,
  identity_max_bytes,
  leasehold_folder,
} from "./identity.ts";
import { first_claim } from "./lease/format.ts";
import type { JobKind } from "./probing.ts";
import { type Verdict, verdict_of } from "./verdict.ts";

/** labelled: with ours. found: somebody was there before, with this one. */
export type Labelled =
  | { how: "labelled" | "found"; identity: Identity }
  | { how: "failed"; verdict: Verdict; because: string };

export type LabelOptions = {
  time: Time;
  /** For each of up to five jobs. */
  limit_ms: number;
  /** Where its counter of claims begins: 0 unless it goes on after a restore. */
  first?: bigint;
  /** Also where another identity is already. */
  replace?: boolean;
  job?: JobKind | undefined;
};

/** Gives the volume this identity. Atomic: of several at one time one wins, and all see the same. Never rejects for what the volume does. */
export async function label_volume(
  path: string,
  identity: Identity,
  options: LabelOptions,
): Promise<Labelled> {
  const { time, limit_ms, first = 0n, replace = false, job } = options;
  const run = async (operation: Operation): Promise<ProbeResult | undefined> => {
    const deadline_ns = time.now_ns() + ms_to_ns(limit_ms);
    const { results } = await run_probe([operation], { deadline_ns, now_ns: () => time.now_ns(), ...job });
    return results[0];
  };
  const fail = (step: string, error: string | undefined): Labelled => ({
    how: "failed",
    verdict: error === undefined ? "hung" : (verdict_of(error) ?? "slow"),
    because: `the volume ${quoted(path)} could not be labelled: ${error === undefined ? "no answer" : `${step}: ${error}`}; see leasehold volume check`,
  });
  const [folder, file] = [`${path}/${leasehold_folder}`, `${path}/${identity_file}`];
  const made = await run({ do: "mkdir", path: folder });
  if (made === undefined) return fail("mkdir", undefined);
  if (made.error !== undefined && made.error !== "EEXIST") return fail(made.step ?? "mkdir", made.error);
  const temporary = `${folder}/${identity.id}.tmp`;
  const { name, content: claim } = first_claim(first, identity.tv_ms);
  const begun = await run({ do: "create", temporary, path: `${folder}/${name}`, content: claim });
  if (begun === undefined) return fail("create", undefined);
  if (begun.error !== undefined && begun.error !== "EEXIST") return fail(begun.step ?? "create", begun.error);
  if (replace) {
    const removed = await run({ do: "unlink", path: file });
    if (removed === undefined) return fail("unlink", undefined);
    if (removed.error !== undefined && removed.error !== "ENOENT") return fail("unlink", removed.error);
  }
  const content = encode_identity(identity);
  const created = await run({ do: "create", temporary, path: file, content });
  if (created !== undefined && created.error === undefined) return { how: "labelled", identity };
  if (created === undefined) return fail("create", undefined);
  if (created.error !== "EEXIST") return fail(created.step ?? "create", created.error);
  const read = await run({ do: "read", path: file, max: identity_max_bytes + 1 });
  if (read === undefined || read.error !== undefined) return fail("read", read?.error);
  const found = decode_identity(read.content);
  if (typeof found === "string")
    return {
      how: "failed",
      verdict: "wrong",
      because: `the volume ${quoted(path)} has an identity that ${found}`,
    };
  return { how: found.id === identity.id ? "labelled" : "found", identity: found };
}
