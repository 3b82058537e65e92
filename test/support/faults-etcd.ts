// Faults of etcd's members, and what an operator does to the lock with etcdctl.

import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./contenders.ts";
import type { Etcd, Member } from "./etcd.ts";
import type { Fault, Scene } from "./faults.ts";
import type { Relay } from "./relay.ts";

export const etcd_url =
  (path: string) =>
  (ports: readonly number[]): string =>
    `etcd://${ports.map((port) => `127.0.0.1:${port}`).join(",")}${path}`;

/** The lock's key as it is stored. lease: hexadecimal, as etcdctl takes it; "0": none. */
export function stored(
  servers: Etcd,
  path: string,
): { create: number; mod: number; lease: string; value: string } | undefined {
  type Stored = { create_revision: number; mod_revision: number; lease?: string; value: string };
  // Its lease is more than a double can hold.
  const exact = servers.ctl(["get", `${path}/lock`, "-w", "json"]).replace(/"lease":(\d+)/, '"lease":"$1"');
  const [kv] = (JSON.parse(exact) as { kvs?: Stored[] }).kvs ?? [];
  if (kv === undefined) return undefined;
  const { create_revision: create, mod_revision: mod, lease = "0", value } = kv;
  return { create, mod, lease: BigInt(lease).toString(16), value: Buffer.from(value, "base64").toString() };
}

/** Hands it the leadership. */
export function lead(servers: Etcd, { name }: Member): void {
  // "8e9e05c52164694d, started, m0, …"
  const lines = servers.ctl(["member", "list"]).split("\n");
  const line = lines.find((one) => one.includes(`, ${name}, `));
  servers.ctl(["move-leader", line?.split(",")[0] ?? ""]);
}

/** An operator's mistakes. */
export const operator_faults = (servers: Etcd, path: string): Fault[] => [
  {
    name: "the lock's key is deleted",
    outcome: "another",
    strike: async () => void servers.ctl(["del", `${path}/lock`]),
  },
  {
    name: "the lock's lease is revoked",
    outcome: "another",
    async strike() {
      // A renewal may move the key to another lease meanwhile: then revoking the older one takes nothing away.
      const { create } = stored(servers, path) ?? { create: 0 };
      await until(() => {
        const now = stored(servers, path);
        if (now?.create !== create) return true;
        try {
          servers.ctl(["lease", "revoke", now.lease]);
        } catch {
          // it is gone already
        }
        return false;
      }, "the end of the lock's lease");
    },
  },
  {
    name: "the lock's key is overwritten, and deleted when the app is dead",
    outcome: "another",
    async strike({ stage, holder: { contender } }) {
      servers.ctl(["put", `${path}/lock`, "mine"]);
      await until(
        () => contender.ended || contender.app === undefined,
        "the app's end",
        () => stage.story(),
      );
      servers.ctl(["del", `${path}/lock`]);
    },
  },
];

/** The holder can't hear of it: whoever comes next has to wait the lease out, unless a fence hook spares it that. */
export const unheard_deletion = (servers: Etcd, path: string): Fault<Relay> => ({
  name: "cut off from every server, and its key deleted",
  outcome: "another",
  async strike({ stage, holder }) {
    for (const way of holder.ways) way.stop();
    servers.ctl(["del", `${path}/lock`]);
    await stage.running(holder.contender);
    for (const way of holder.ways) way.resume();
  },
});

/** While a member is away the others have a quorum. Each lasts for 30 % of the lease, about. */
export const member_faults = (servers: Etcd, path: string): Fault[] => {
  const away = async (
    { stage }: Scene,
    leave: () => Promise<void> | void,
    back: () => void,
  ): Promise<void> => {
    await leave();
    await sleep(stage.ttl_ms * 0.3);
    back();
    await servers.ready();
  };
  const stopped = (scene: Scene, member: Member): Promise<void> =>
    away(
      scene,
      () => member.stop(),
      () => member.resume(),
    );
  const killed = (scene: Scene, member: Member): Promise<void> =>
    away(
      scene,
      () => member.kill(),
      () => member.start(),
    );
  return [
    {
      name: "the leader is stopped",
      outcome: "untouched",
      strike: (scene) => stopped(scene, servers.leader()),
    },
    {
      name: "the leader is killed and started again",
      outcome: "untouched",
      strike: (scene) => killed(scene, servers.leader()),
    },
    {
      name: "the member that is asked is stopped right after a proof",
      outcome: "untouched",
      async strike(scene) {
        const before = stored(servers, path)?.mod;
        await until(() => stored(servers, path)?.mod !== before, "a proof");
        const [asked] = servers.members;
        if (asked) await stopped(scene, asked);
      },
    },
    {
      name: "the leadership is handed to another member",
      outcome: "untouched",
      async strike() {
        const leader = servers.leader();
        const next = servers.members.find((member) => member !== leader);
        if (next) lead(servers, next);
      },
    },
    {
      name: "the members are restarted one after the other",
      outcome: "untouched",
      async strike() {
        for (const member of servers.members) {
          await member.kill();
          member.start();
          await servers.ready();
        }
      },
    },
  ];
};

/** Nobody has a quorum for longer than the lease. */
export const outages = (servers: Etcd): Fault[] => [
  {
    name: "all members are stopped for longer than the lease",
    outcome: "somebody",
    async strike({ stage, holder: { contender } }) {
      servers.stop();
      await until(
        () => contender.ended || contender.app === undefined,
        "the app's end",
        () => stage.story(),
      );
      await sleep(stage.ttl_ms * 0.3);
      servers.resume();
      await servers.ready();
    },
  },
  {
    name: "all members are killed, and started again after the lease's end",
    outcome: "somebody",
    async strike({ stage, holder: { contender } }) {
      for (const member of servers.members) await member.kill();
      await until(
        () => contender.ended || contender.app === undefined,
        "the app's end",
        () => stage.story(),
      );
      await sleep(stage.ttl_ms * 0.3);
      for (const member of servers.members) member.start();
      await servers.ready();
    },
  },
];

const ended = ({ stage, holder: { contender } }: Pick<Scene, "stage" | "holder">): Promise<boolean> =>
  until(
    () => contender.ended || contender.app === undefined,
    "the app's end",
    () => stage.story(),
  );

/** root, and a user for each contender: u0, u1, … with the role `contender` and the password `secret`. */
export function with_users(servers: Etcd, path: string, contenders = 2): void {
  const users = Array.from({ length: contenders }, (_, index) => `u${index}`);
  const ctl = (words: string): void => void servers.ctl(words.split(" "));
  for (const words of ["user add root:root", "user grant-role root root", "role add contender"]) ctl(words);
  ctl(`role grant-permission --prefix=true contender readwrite ${path}`);
  for (const user of users) {
    ctl(`user add ${user}:secret`);
    ctl(`user grant-role ${user} contender`);
  }
  ctl("auth enable");
  servers.ctl_args = ["--user", "root:root"];
}

/** Of with_users(); the contender's name ends in what its user's does. */
export const access_faults = (servers: Etcd): Fault[] => {
  const fault = (name: string, take: (user: string) => string, give: (user: string) => string): Fault => ({
    name,
    outcome: "another",
    async strike({ stage, holder }) {
      const user = holder.name.replace("c", "u");
      servers.ctl(take(user).split(" "));
      await ended({ stage, holder });
      await stage.running(holder.contender);
      for (const words of give(user).split("; ")) servers.ctl(words.split(" "));
    },
  });
  return [
    fault(
      "its role is taken from the holder's user",
      (user) => `user revoke-role ${user} contender`,
      (user) => `user grant-role ${user} contender`,
    ),
    fault(
      "the holder's user is deleted",
      (user) => `user delete ${user}`,
      (user) => `user add ${user}:secret; user grant-role ${user} contender`,
    ),
  ];
};
