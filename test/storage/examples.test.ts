// The examples' files: their configuration is read, their scripts run against stubs of the tools that they call.

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { load_config } from "../../src/config/load.ts";

const examples = join(import.meta.dirname, "../../examples");

for (const file of globSync("*/leasehold.yaml", { cwd: examples })) {
  test(`examples/${file} is a configuration`, async () => {
    const config = await load_config({ config: join(examples, file), node: "db-0" }, {});
    assert.equal(config.volumes.length, 1);
    assert.deepEqual(config.warnings, []);
  });
}
