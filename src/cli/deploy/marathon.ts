// `explain --marathon FILE`: an app, a group, or a list of apps.

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
const grace_s = 3;

export function marathon_places(document: unknown): Place[] {
  const apps = Array.isArray(document) ? document.map(tree) : apps_of(tree(document));
  return apps.map((app): Place => {
    const id = text(app.id) ?? "?";
    const cmd = text(app.cmd);
    return {
      where: `app ${id}`,
      command: cmd === undefined ? texts(app.args) : [cmd],
      environment: Object.fromEntries(
        Object.entries(tree(app.env)).flatMap(([name, value]) =>
          typeof value === "string" ? [[name, value]] : [],
        ),
      ),
      node: `${id.split("/").at(-1) ?? "app"}-0`,
      judge: (settings) => [
        grace(
          "taskKillGracePeriodSeconds",
          {
            given_s: number(app.taskKillGracePeriodSeconds, `${id}: taskKillGracePeriodSeconds`),
            default_s: grace_s,
          },
          stop_budget(settings).needed_s,
        ),
        ...health(app),
        ...upgrades(app),
      ],
    };
  });
}

function apps_of(group: Tree): Tree[] {
  if (group.apps === undefined && group.groups === undefined) return [group];
  return [...list(group.apps).map(tree), ...list(group.groups).flatMap((one) => apps_of(tree(one)))];
}

/** Marathon kills a task whose health check fails so often in a row; a ready check only holds deployments up. */
function health(app: Tree): Finding[] {
  const checks = list(app.healthChecks).map(tree);
  if (checks.length === 0)
    return [
      wrong(
        "without healthChecks Marathon doesn't see that leasehold hangs",
        "ask /livez at the port of --listen",
      ),
    ];
  return checks.map((check) => {
    const protocol = text(check.protocol) ?? "HTTP";
    const path = /HTTP/.test(protocol) ? (text(check.path) ?? "/") : null;
    return killing_probe(`healthChecks (${protocol})`, path);
  });
}

function upgrades(app: Tree): Finding[] {
  const instances = number(app.instances, "instances") ?? 1;
  const strategy = tree(app.upgradeStrategy);
  const least = number(strategy.minimumHealthCapacity, "minimumHealthCapacity") ?? 1;
  const over = number(strategy.maximumOverCapacity, "maximumOverCapacity") ?? 1;
  const unique = list(app.constraints).some(
    (one) => texts(one)[0] === "hostname" && texts(one)[1] === "UNIQUE",
  );
  if (instances < 2) return [];
  return Math.ceil(instances * least) >= instances && (unique || over === 0)
    ? [
        wrong(
          `an upgrade may stop no task before a new one is healthy, and ${unique ? "UNIQUE hosts" : "maximumOverCapacity 0"} leave no place for one`,
          "give upgradeStrategy.minimumHealthCapacity 0.5",
        ),
      ]
    : [fits("an upgrade has room to go on, one task after the other")];
}
