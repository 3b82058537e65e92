// Each planted defect of restore, backup, profiles, readiness and restarts is found by the test that is named with it.
//
//   npm run test:long -- plants/data

import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { data_plants } from "./data.ts";
import { found_by_its_test } from "./planted.ts";

for (const plant of data_plants)
  test(plant.what, (t) => {
    if (!requires(t, "root", "mkfs.ext4", "mkfs.xfs", "python3")) return;
    found_by_its_test(t, plant);
  });
