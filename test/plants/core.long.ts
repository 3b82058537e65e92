// Each planted defect of the core and the locks is found by the simulator.
//
//   npm run test:long -- plants/core

import { test } from "node:test";
import { core_plants } from "./core.ts";
import { found_by_the_simulator } from "./planted.ts";

for (const plant of core_plants)
  test(plant.what, { timeout: 900_000 }, (t) => found_by_the_simulator(t, plant));
