// Each trap of the volume lease, planted, is found: by the simulator, or by the test that is named with it.
//
//   npm run test:long -- plants/lease

import { test } from "node:test";
import { lease_plants, tested_lease_plants } from "./lease.ts";
import { found_by_its_test, found_by_the_simulator } from "./planted.ts";

for (const plant of lease_plants)
  test(plant.what, { timeout: 900_000 }, (t) => found_by_the_simulator(t, plant));

for (const plant of tested_lease_plants) test(plant.what, (t) => found_by_its_test(t, plant));
