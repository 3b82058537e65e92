import { elasticsearch } from "./elasticsearch.ts";
import { eventstore } from "./eventstore.ts";
import { mariadb } from "./mariadb.ts";
import { mongodb } from "./mongodb.ts";
import { mysql } from "./mysql.ts";
import { postgres } from "./postgres.ts";
import type { Profile } from "./profile.ts";
import { redis } from "./redis.ts";
import { rethinkdb } from "./rethinkdb.ts";

const generic: Profile = {
  app: "any app",
  programs: [],
  options: {},
  data: null,
  left: [],
  dangers: [],
  network: null,
  notes: ["The same as no profile: it says aloud that the defaults are meant."],
  sources: [],
  run: null,
};

export const profiles = {
  mysql,
  mariadb,
  postgres,
  redis,
  mongodb,
  rethinkdb,
  elasticsearch,
  eventstore,
  generic,
} as const satisfies Readonly<Record<string, Profile>>;

export type ProfileName = keyof typeof profiles;

export const profile_names: readonly ProfileName[] = Object.keys(profiles).filter(is_profile);

function is_profile(name: string): name is ProfileName {
  return Object.hasOwn(profiles, name);
}
