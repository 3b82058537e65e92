import { readFileSync } from "node:fs";

const read = (name: string): string => readFileSync(`/proc/sys/kernel/random/${name}`, "latin1").trim();

/** Of this start of the machine. */
export const boot_id = (): string => read("boot_id");

/** Random, of version 4. Node's own takes 4 ms of every start, because all of node:crypto comes with it. */
export const fresh_uuid = (): string => read("uuid");
