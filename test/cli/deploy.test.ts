// explain --kubernetes, --marathon, --compose: one sentence for each thing, and of what is wrong the remedy.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { outcome } from "./outcome.ts";

/** explain's output for a file with this text, and how it ended. */
async function explained(t: TestContext, kind: string, content: string, ...args: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "leasehold-deploy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  writeFileSync(path, content);
  return outcome("explain", `--${kind}`, path, ...args);
}

const good_pod = `
      terminationGracePeriodSeconds: 90
      containers:
        - name: db
          image: db
          command: [/opt/leasehold/leasehold, run, --profile, mysql, --lock=etcd://e/a, --volume, /v, --, mysqld]
          livenessProbe: { httpGet: { path: /livez, port: 8080 } }
          readinessProbe: { httpGet: { path: /readyz, port: 8080 } }`;
const stateful_set = (
  pod: string,
  spec = "\n  podManagementPolicy: Parallel\n  updateStrategy: { type: OnDelete }",
) =>
  `kind: StatefulSet\nmetadata: { name: db }\nspec:\n  replicas: 2${spec}\n  template:\n    metadata: { labels: { app: db } }\n    spec:${pod}\n`;

test("Kubernetes: what fits is said, too, with what leasehold is told there", async (t) => {
  const text = await explained(t, "kubernetes", stateful_set(good_pod));
  assert.match(
    text,
    /^StatefulSet db, container db: a requested stop takes at most 64 s: stop timeout 60 s \+ drain 1 s \+ release 3 s\.$/m,
  );
  assert.match(text, /^ {2}fits {3}terminationGracePeriodSeconds is 90 s: a stop of at most 64 s fits\.$/m);
  assert.match(text, /fits {3}livenessProbe asks \/livez/);
  assert.match(text, /fits {3}readinessProbe asks \/readyz: a Service reaches the holder only/);
  assert.match(text, /fits {3}updateStrategy OnDelete/);
  assert.doesNotMatch(text, /wrong/);
});

const wrongs: readonly (readonly [what: string, file: string, sentence: RegExp])[] = [
  [
    "no grace period is given",
    stateful_set(good_pod.replace(/\n.*GracePeriod.*/, "")),
    /wrong {2}terminationGracePeriodSeconds is 30 s by default, and a stop takes up to 64 s: .*; give 64\./,
  ],
  [
    "it is too short",
    stateful_set(good_pod.replace("90", "63")),
    /terminationGracePeriodSeconds is 63 s, and a stop takes up to 64 s/,
  ],
  [
    "the liveness probe asks /readyz",
    stateful_set(good_pod.replace("path: /livez", "path: /readyz")),
    /livenessProbe asks \/readyz, .* killed again and again; ask \/livez at the port of --listen/,
  ],
  [
    "the liveness probe asks the app",
    stateful_set(good_pod.replace(/livenessProbe.*/, "livenessProbe: { tcpSocket: { port: 3306 } }")),
    /livenessProbe asks the app, which doesn't run in a standby/,
  ],
  [
    "nobody asks for readiness",
    stateful_set(good_pod.replace(/\n *readinessProbe.*/, "")),
    /without a readinessProbe a Service sends clients to standbys, too; ask \/readyz/,
  ],
  [
    "a rolling update",
    stateful_set(good_pod, "\n  podManagementPolicy: Parallel"),
    /a rolling update waits for a standby to be ready, .*; give updateStrategy\.type: OnDelete/,
  ],
  [
    "OrderedReady",
    stateful_set(good_pod, "\n  updateStrategy: { type: OnDelete }"),
    /OrderedReady starts no pod after one that isn't ready.*; give podManagementPolicy: Parallel/,
  ],
  [
    "a Deployment that rolls",
    stateful_set(good_pod, "").replace("StatefulSet", "Deployment"),
    /a rolling update waits .*; give strategy\.type: Recreate/,
  ],
  [
    "a disruption budget that the holder's node can't satisfy",
    `${stateful_set(good_pod)}---\nkind: PodDisruptionBudget\nmetadata: { name: b }\nspec: { maxUnavailable: 1, selector: { matchLabels: { app: db } } }\n`,
    /PodDisruptionBudget b wants 1 ready, and there is only 1: the holder's node could never be drained; leave it out/,
  ],
  [
    "a volume for each pod",
    stateful_set(good_pod, "\n  volumeClaimTemplates: [{ metadata: { name: data } }]"),
    /volumeClaimTemplates \(data\) give each pod a volume of its own/,
  ],
  [
    "a claim that one node can mount",
    `${stateful_set(`${good_pod}\n      volumes: [{ name: v, persistentVolumeClaim: { claimName: c } }]`)}---\nkind: PersistentVolumeClaim\nmetadata: { name: c }\nspec: { accessModes: [ReadWriteOnce] }\n`,
    /the claim c has ReadWriteOnce, so that pods on two nodes can't both mount it; give ReadWriteMany/,
  ],
  [
    "a preStop hook",
    stateful_set(`${good_pod}\n          lifecycle: { preStop: { exec: { command: [sleep, "5"] } } }`),
    /its preStop hook runs first.*; take it out/,
  ],
];
for (const [what, file, sentence] of wrongs) {
  test(`Kubernetes, ${what}: one sentence, and 78`, async (t) => {
    const text = await explained(t, "kubernetes", file);
    assert.match(text, sentence);
    assert.match(
      text,
      /78 (one thing|\d things) there (is|are) wrong; each line above ends with what to do$/,
    );
  });
}

test("Kubernetes: variables, Lists and several documents; other containers are left alone", async (t) => {
  const pod = `kind: List\nitems:\n- kind: Pod\n  metadata: { name: p }\n  spec:\n    terminationGracePeriodSeconds: 20\n    containers:\n    - name: sidecar\n      image: x\n    - name: db\n      env: [{ name: LEASEHOLD_STOP_TIMEOUT, value: 10s }, { name: LEASEHOLD_LOCK_PASSWORD, valueFrom: {} }]\n      readinessProbe: { httpGet: { path: /readyz } }\n`;
  const text = await explained(t, "kubernetes", `${pod}---\nkind: Service\n`);
  assert.match(text, /^Pod p, container db: a requested stop takes at most 13 s/m);
  assert.doesNotMatch(text, /sidecar/);
});

test("explain's own options count where the file says nothing, and a configuration file in the image isn't read", async (t) => {
  const file = stateful_set(good_pod.replace(" --profile, mysql,", " --config, /etc/l.yaml,"));
  const text = await explained(t, "kubernetes", file, "--stop-timeout", "100s");
  assert.match(text, /stop timeout 100 s/);
  assert.match(text, /note {3}its configuration file "\/etc\/l\.yaml" isn't read here/);
  const own = file.replace("--lock=", "--stop-timeout=5s, --lock=");
  assert.match(await explained(t, "kubernetes", own, "--stop-timeout", "100s"), /stop timeout 5 s/);
});

const app = (more: object) =>
  JSON.stringify({
    id: "/db",
    cmd: "exec /opt/leasehold/leasehold run --lock zk://z/a -- mysqld",
    instances: 2,
    taskKillGracePeriodSeconds: 30,
    healthChecks: [{ protocol: "MESOS_HTTP", path: "/livez" }],
    ...more,
  });

test("Marathon: grace period, health checks, upgrades", async (t) => {
  const good = await explained(t, "marathon", app({}));
  assert.match(good, /^app \/db: a requested stop takes at most 23 s/m);
  assert.match(good, /fits {3}taskKillGracePeriodSeconds is 30 s: a stop of at most 23 s fits/);
  assert.match(good, /fits {3}an upgrade has room/);
  const none = await explained(
    t,
    "marathon",
    `{"groups":[{"apps":[${app({ taskKillGracePeriodSeconds: undefined, healthChecks: [] })}]}]}`,
  );
  assert.match(none, /taskKillGracePeriodSeconds is 3 s by default, and a stop takes up to 23 s/);
  assert.match(none, /without healthChecks Marathon doesn't see that leasehold hangs; ask \/livez/);
  const tcp = await explained(
    t,
    "marathon",
    app({ healthChecks: [{ protocol: "TCP" }], constraints: [["hostname", "UNIQUE"]] }),
  );
  assert.match(tcp, /healthChecks \(TCP\) asks the app, .* killed again and again/);
  assert.match(tcp, /UNIQUE hosts leave no place for one; give upgradeStrategy\.minimumHealthCapacity 0\.5/);
});

test("compose: grace period, stop signal, restart", async (t) => {
  const good = `services:\n  db:\n    entrypoint: ["/opt/leasehold/leasehold", "run", "--", "docker-entrypoint.sh"]\n    command: [mysqld]\n    environment: { LEASEHOLD_PROFILE: mysql, LEASEHOLD_STOP_TIMEOUT: 30s, LEASEHOLD_NODE: "\${HOST}" }\n    stop_grace_period: 1m\n    restart: always\n  other: { image: x }\n`;
  const text = await explained(t, "compose", good);
  assert.match(text, /^service db: a requested stop takes at most 33 s/m);
  assert.match(text, /fits {3}stop_grace_period is 60 s/);
  assert.doesNotMatch(text, /wrong|other/);
  const bad = await explained(
    t,
    "compose",
    `services:\n  db:\n    command: leasehold run -- x\n    stop_signal: SIGINT\n    init: true\n`,
  );
  assert.match(bad, /stop_grace_period is 10 s by default, and a stop takes up to 23 s: .*; give 23\./);
  assert.match(bad, /stop_signal SIGINT goes to the app as it is/);
  assert.match(bad, /after a loss leasehold ends with 80, and nobody starts it again; give restart: always/);
  assert.match(bad, /init: true makes another program the first process/);
  assert.match(bad, /78 4 things there are wrong/);
});

test("a missing command, and one that is another app's than the profile's", async (t) => {
  const without = await explained(
    t,
    "compose",
    `services:\n  db:\n    entrypoint: [/opt/leasehold/leasehold, run, --]\n    restart: always\n    stop_grace_period: 5m\n`,
  );
  assert.match(
    without,
    /wrong {2}leasehold is given no command there, .*; give entry point and command of the image after --\./,
  );
  assert.match(without, /78 one thing there is wrong/);
  const other = await explained(
    t,
    "compose",
    `services:\n  db:\n    command: leasehold run --profile postgres -- docker-entrypoint.sh mysqld\n    restart: always\n    stop_grace_period: 5m\n`,
  );
  assert.match(
    other,
    /wrong {2}the command runs mysqld, and the profile is postgres; give --profile for MySQL\./,
  );
});

test("what only the shell there knows doesn't keep the rest from being read", async (t) => {
  const cmd =
    "leasehold run --data $MESOS_SANDBOX/db --restore never --listen 0.0.0.0:$PORT1 --stop-timeout=7s -- x";
  assert.match(await explained(t, "marathon", app({ cmd })), /stop timeout 7 s/);
});

test("what is no such file is one sentence", async (t) => {
  const nothing =
    /^78 ".*": nothing in it runs leasehold; it is known by leasehold in the command, or by LEASEHOLD_ variables$/;
  assert.match(await explained(t, "compose", "services: { db: { image: x } }"), nothing);
  assert.match(
    await explained(t, "kubernetes", "kind: Service"),
    /nothing that could run leasehold is in it/,
  );
  assert.match(await explained(t, "kubernetes", "a: [1"), /^78 ".*" is no YAML: .*; mend it there$/);
  assert.match(
    await explained(t, "compose", "services: { db: { command: leasehold run --tll 1s -- x } }"),
    /^78 service db: "--tll" is no option of leasehold run; did you mean --ttl\?$/,
  );
  assert.match(
    await explained(
      t,
      "compose",
      "services: { db: { command: leasehold run -- x, stop_grace_period: 5 minutes } }",
    ),
    /stop_grace_period is "5 minutes", which is no duration; write e\.g\. 1m30s$/,
  );
  assert.match(
    await outcome("explain", "--marathon", "/no/such/file"),
    /^78 the file "\/no\/such\/file" doesn't exist/,
  );
});
