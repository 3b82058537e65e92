// The rules of a contender that has nothing special about it.

import type { Rules } from "../../src/core/state.ts";
import { derive } from "../../src/core/timing.ts";

export const rules: Rules = {
  timing: {
    ttl_ms: 30_000,
    loss_grace_ms: 5000,
    drain_ms: 0,
    margin_ms: 1500,
    ...derive(30_000),
    stop_timeout_ms: 20_000,
  },
  stop_signal: 15,
  when_busy: "wait",
  wait_timeout_ms: null,
  on_loss: "exit",
  hooks: {
    fence: false,
    attach: false,
    verify: false,
    restore: false,
    data: false,
    pre_start: false,
    backup: false,
    post_stop: false,
    lost: false,
  },
  drains: false,
  ready_timeout_ms: null,
  restarts_max: 0,
  boot_id: "here",
};
