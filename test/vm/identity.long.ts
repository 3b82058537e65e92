// Who a volume is, on real servers: labelled at its first use, and refused when another one, or an emptied one, lies in its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scene } from "../support/scene.ts";
import { ready, the_fact } from "./kinds.ts";
import { named, told } from "./losses.ts";

for (const kind of ["nfs3", "nfs4.2", "cifs"] as const)
  test(`${kind}: labelled at the first use; another one and an emptied one are refused`, async (t) => {
    if (!ready(t, kind)) return;
    const facts = await scene({ place: "uml", program: "identity", args: [kind], timeout_ms: 400_000 });
    const { facts: text, log } = told(facts);
    t.diagnostic(text);
    assert.deepEqual(the_fact(facts, "labelled"), { fact: "labelled", exit: 143, id: true }, log);
    const refused = named(facts, "refused");
    assert.deepEqual(
      refused.map(({ what, exit }) => [what, exit]),
      [
        ["another", 74],
        ["emptied", 74],
      ],
      log,
    );
    assert.match(String(refused[0]?.says), /has the id 00000000/);
    assert.match(String(refused[1]?.says), /has no identity/);
    assert.equal(the_fact(facts, "back").runs, true, log);
    assert.equal(the_fact(facts, "overlap").overlap_ms, 0, log);
  });
