// Each planted defect of the volume's checks is found by the test that is named with it.
//
//   npm run test:long -- plants/storage

import { test } from "node:test";
import { requires } from "../support/requires.ts";
import { found_by_its_test } from "./planted.ts";
import { storage_plants } from "./storage.ts";

for (const plant of storage_plants)
  test(plant.what, (t) => {
    if (!requires(t, "root", "mkfs.ext4", "bindfs", "fsfreeze")) return;
    found_by_its_test(t, plant);
  });
