// `explain --kubernetes FILE`: manifests, several documents in one file.

import type { Settings } from "../../config/load.ts";
import { stop_budget } from "../budget.ts";
import {
  type Finding,
  fits,
  grace,
  killing_probe,
  list,
  number,
  type Place,
  text,
  texts,
  type Tree,
  tree,
  wrong,
} from "./finding.ts";

/** By default. */
const grace_s = 30;

type Workload = { kind: string; name: string; spec: Tree; template: Tree; replicas: number };

export function kubernetes_places(documents: readonly unknown[]): Place[] {
  const objects = documents
    .flatMap((one) => (tree(one).kind === "List" ? list(tree(one).items) : [one]))
    .map(tree);
  const budgets = objects.filter(({ kind }) => kind === "PodDisruptionBudget");
  const claims = new Map(
    objects
      .filter(({ kind }) => kind === "PersistentVolumeClaim")
      .map((claim) => [text(tree(claim.metadata).name) ?? "", texts(tree(claim.spec).accessModes)]),
  );
  return objects.flatMap((object) => {
    const workload = workload_of(object);
    if (!workload) return [];
    const pod = tree(workload.template.spec);
    return list(pod.containers).map((one): Place => {
      const container = tree(one);
      const name = text(container.name) ?? "?";
      return {
        where: `${workload.kind} ${workload.name}, container ${name}`,
        command: [...texts(container.command), ...texts(container.args)],
        environment: Object.fromEntries(
          list(container.env).flatMap((entry) => {
            const { name: variable, value } = tree(entry);
            const known = text(value);
            return typeof variable === "string" && known !== undefined ? [[variable, known]] : [];
          }),
        ),
        node: `${workload.name}-0`,
        judge: (settings) => [
          ...stop(pod, container, settings),
          ...probes(container),
          ...updates(workload, container),
          ...drains(workload, container, budgets),
          ...volumes(workload, pod, claims, settings),
        ],
      };
    });
  });
}

function workload_of(object: Tree): Workload | null {
  const spec = tree(object.spec);
  const name = text(tree(object.metadata).name) ?? "?";
  const kind = text(object.kind) ?? "";
  const replicas = number(spec.replicas, `${kind} ${name}: replicas`) ?? 1;
  switch (kind) {
    case "Pod":
      return { kind, name, spec, template: object, replicas: 1 };
    case "Deployment":
    case "StatefulSet":
    case "ReplicaSet":
    case "DaemonSet":
    case "Job":
      return { kind, name, spec, template: tree(spec.template), replicas };
    default:
      return null;
  }
}

function stop(pod: Tree, container: Tree, settings: Settings): Finding[] {
  const { needed_s } = stop_budget(settings);
  const given_s = number(pod.terminationGracePeriodSeconds, "terminationGracePeriodSeconds");
  const hook = tree(container.lifecycle).preStop;
  return [
    grace("terminationGracePeriodSeconds", { given_s, default_s: grace_s }, needed_s),
    ...(hook === undefined
      ? []
      : [
          wrong(
            "its preStop hook runs first, and its time comes out of the same seconds",
            "take it out: --post-stop runs under the lock",
          ),
        ]),
  ];
}

function probes(container: Tree): Finding[] {
  const killing = (["livenessProbe", "startupProbe"] as const).flatMap((name) =>
    container[name] === undefined ? [] : [killing_probe(name, path_of(container[name]))],
  );
  const readiness = container.readinessProbe;
  if (readiness === undefined)
    return [
      ...killing,
      wrong(
        "without a readinessProbe a Service sends clients to standbys, too",
        "ask /readyz at the port of --listen",
      ),
    ];
  if (asks_readyz(container))
    return [...killing, fits("readinessProbe asks /readyz: a Service reaches the holder only")];
  return path_of(readiness) === "/livez"
    ? [
        ...killing,
        fits(
          "readinessProbe asks /livez: standbys count as ready, and something else has to choose the holder",
        ),
      ]
    : [
        ...killing,
        wrong(
          "readinessProbe asks the app itself, not whether the lock is held",
          "ask /readyz at the port of --listen",
        ),
      ];
}

/** A standby is never ready by /readyz, and whoever waits for it waits for ever. */
function updates({ kind, spec, replicas }: Workload, container: Tree): Finding[] {
  if (replicas < 2 || !asks_readyz(container)) return [];
  const rolls = "a rolling update waits for a standby to be ready, which by /readyz it never is";
  switch (kind) {
    case "StatefulSet": {
      const strategy = text(tree(spec.updateStrategy).type) ?? "RollingUpdate";
      const parallel = spec.podManagementPolicy === "Parallel";
      return [
        strategy === "OnDelete"
          ? fits("updateStrategy OnDelete: no update waits for a standby to be ready")
          : wrong(
              rolls,
              "give updateStrategy.type: OnDelete, and delete the standby's pod first, then the holder's",
            ),
        ...(parallel
          ? []
          : [
              wrong(
                "OrderedReady starts no pod after one that isn't ready, and a standby never is",
                "give podManagementPolicy: Parallel",
              ),
            ]),
      ];
    }
    case "Deployment":
      return tree(spec.strategy).type === "Recreate"
        ? [fits("strategy Recreate: no update waits for a standby to be ready")]
        : [
            wrong(
              rolls,
              "give strategy.type: Recreate, or take a StatefulSet with updateStrategy.type: OnDelete",
            ),
          ];
    default:
      return [];
  }
}

function drains({ template, replicas }: Workload, container: Tree, budgets: readonly Tree[]): Finding[] {
  const labels = tree(tree(template.metadata).labels);
  return budgets.flatMap((budget) => {
    const { selector, minAvailable, maxUnavailable } = tree(budget.spec);
    const wanted = Object.entries(tree(tree(selector).matchLabels));
    if (wanted.length === 0 || wanted.some(([name, value]) => labels[name] !== value)) return [];
    const ready = asks_readyz(container) ? 1 : replicas;
    const least =
      maxUnavailable === undefined
        ? share(minAvailable, replicas)
        : replicas - share(maxUnavailable, replicas);
    const name = `PodDisruptionBudget ${text(tree(budget.metadata).name) ?? "?"}`;
    return ready - least >= 1
      ? [fits(`${name} lets one pod go at a time`)]
      : [
          wrong(
            `${name} wants ${least} ready, and there is only ${ready}: the holder's node could never be drained`,
            "leave it out, or ask /livez for readiness",
          ),
        ];
  });
}

function share(value: unknown, of: number): number {
  const [, percent] = /^(\d+)%$/.exec(text(value) ?? "") ?? [];
  return percent === undefined ? Number(text(value) ?? 0) : Math.ceil((Number(percent) * of) / 100);
}

function volumes(
  { spec, replicas }: Workload,
  pod: Tree,
  claims: ReadonlyMap<string, readonly string[]>,
  settings: Settings,
): Finding[] {
  if (replicas < 2 || settings.volumes.length === 0 || settings.attach) return [];
  const own = list(spec.volumeClaimTemplates).map((one) => text(tree(tree(one).metadata).name) ?? "?");
  const shared = list(pod.volumes).flatMap(
    (one) => text(tree(tree(one).persistentVolumeClaim).claimName) ?? [],
  );
  return [
    ...(own.length === 0 || shared.length > 0
      ? []
      : [
          wrong(
            `volumeClaimTemplates (${own.join(", ")}) give each pod a volume of its own, and a singleton has one`,
            "take one claim with ReadWriteMany under volumes",
          ),
        ]),
    ...shared.flatMap((claim) => {
      const modes = claims.get(claim);
      return modes === undefined || modes.includes("ReadWriteMany")
        ? []
        : [
            wrong(
              `the claim ${claim} has ${modes.join(", ") || "no access mode"}, so that pods on two nodes can't both mount it`,
              "give ReadWriteMany",
            ),
          ];
    }),
  ];
}

function path_of(probe: unknown): string | null {
  const { httpGet } = tree(probe);
  const { path } = tree(httpGet);
  return httpGet === undefined ? null : (text(path) ?? "/");
}
const asks_readyz = (container: Tree): boolean => path_of(container.readinessProbe) === "/readyz";
