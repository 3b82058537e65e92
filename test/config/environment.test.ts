import assert from "node:assert/strict";
import { test } from "node:test";
import { type Environment, read_environment } from "../../src/config/environment.ts";

test("each option is a variable; what isn't ours is not looked at", () => {
  const environment = {
    LEASEHOLD_TTL: "10s",
    LEASEHOLD_STOP_TIMEOUT: "5s",
    LEASEHOLD_NODE: undefined,
    TTL: "1s",
    PATH: "",
  };
  const { entries, warnings } = read_environment(environment);
  assert.deepEqual(entries, [
    { name: "ttl", raw: "10s", where: "LEASEHOLD_TTL" },
    { name: "stop-timeout", raw: "5s", where: "LEASEHOLD_STOP_TIMEOUT" },
  ]);
  assert.deepEqual(warnings, []);
});

test("an unknown one warns with the nearest known, and doesn't show its value", () => {
  const { warnings } = read_environment({ LEASEHOLD_TTTL: "s3cret", LEASEHOLD_TELEPORT: "1" });
  assert.deepEqual(warnings, [
    "the variable LEASEHOLD_TTTL is no option and is ignored; did you mean LEASEHOLD_TTL?",
    "the variable LEASEHOLD_TELEPORT is no option and is ignored; see docs/options.md",
  ]);
});

test("Kubernetes' service links are ignored silently", () => {
  const links: Environment = {
    LEASEHOLD_PORT: "tcp://10.0.0.1:80",
    LEASEHOLD_SERVICE_HOST: "10.0.0.1",
    LEASEHOLD_SERVICE_PORT: "80",
    LEASEHOLD_SERVICE_PORT_HTTP: "80",
    LEASEHOLD_PORT_80_TCP: "tcp://10.0.0.1:80",
    LEASEHOLD_PORT_80_TCP_ADDR: "10.0.0.1",
    LEASEHOLD_PORT_80_TCP_PORT: "80",
    LEASEHOLD_PORT_80_TCP_PROTO: "tcp",
    LEASEHOLD_PORT_53_UDP_ADDR: "10.0.0.1",
    LEASEHOLD_LOCK_SERVICE_HOST: "10.0.0.2",
    LEASEHOLD_MY_APP_PORT: "tcp://10.0.0.3:1",
  };
  assert.deepEqual(read_environment(links), { entries: [], warnings: [] });
});

test("what leasehold gives to the app configures no leasehold in the app", () => {
  const given = {
    LEASEHOLD_TOKEN: "7",
    LEASEHOLD_LOCK_TOKEN: "7",
    LEASEHOLD_INSTANCE: "x",
    LEASEHOLD_SLOT: "0",
  };
  assert.deepEqual(read_environment(given), { entries: [], warnings: [] });
});
