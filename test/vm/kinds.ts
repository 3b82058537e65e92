// The kinds of storage that are measured and broken here: where each runs, and what it needs.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { requires } from "../support/requires.ts";
import { type Fact, type Place, scene } from "../support/scene.ts";
import type { Ages } from "../support/view-age.ts";

export const kinds = ["nfs3", "nfs4.2", "cifs", "glusterfs", "moosefs"] as const;
export type Kind = (typeof kinds)[number];

const place_of = (kind: Kind): Place => (kind === "glusterfs" || kind === "moosefs" ? "namespaces" : "uml");

export function ready(t: TestContext, kind: Kind): boolean {
  switch (kind) {
    case "glusterfs":
      return requires(t, "root", "ip", "unshare", "setpriv", "glusterd", "mount.glusterfs");
    case "moosefs":
      return requires(t, "root", "ip", "unshare", "setpriv", "mfsmaster", "mfschunkserver", "mfsmount");
    case "cifs":
      return requires(t, "root", "uml", "kmod", "ip", "unshare", "smbd", "mount.cifs");
    case "nfs3":
    case "nfs4.2":
      return requires(t, "root", "uml", "kmod", "ip", "unshare", "nfsd", "mount.nfs", "rpcbind", "mkfs.ext4");
  }
}

export function ready_locally(t: TestContext, kind: "ext4" | "bindfs" | "glusterfs" | "moosefs"): boolean {
  if (!requires(t, "etcd")) return false;
  switch (kind) {
    case "ext4":
      return requires(t, "root", "ip", "unshare", "setpriv", "mkfs.ext4");
    case "bindfs":
      return requires(t, "root", "ip", "unshare", "setpriv", "bindfs");
    case "glusterfs":
    case "moosefs":
      return ready(t, kind);
  }
}

/** How old views are of each kind, all from one scene `ages`, since its kernel starts slowly; options: of the mounts. */
export async function measured_ages(
  t: TestContext,
  together: readonly [Kind, ...Kind[]],
  pace: string,
  options = "",
): Promise<Ages[]> {
  const args = [together.join(","), pace, options];
  const facts = await scene({ place: place_of(together[0]), program: "ages", args, timeout_ms: 600_000 });
  return together.map((kind) => {
    const ages = facts.find((one) => one.fact === "ages" && one.kind === kind);
    assert.ok(ages, `the scene tells the ages of ${kind}`);
    t.diagnostic(`${pace}: ${JSON.stringify(ages)}`);
    return ages as unknown as Ages;
  });
}

export function the_fact(facts: readonly Fact[], name: string): Fact {
  const found = facts.find(({ fact }) => fact === name);
  assert.ok(found, `the scene tells ${name}`);
  return found;
}
