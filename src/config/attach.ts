// How the volume comes to this machine and goes again, for block devices that one machine alone can have.

import { ConfigError } from "../errors.ts";
import { expand, type Templates } from "./fields.ts";
import type { OptionName } from "./options.ts";
import type { Values } from "./values.ts";
import type { VolumeRequirement } from "./volume.ts";

type Command = readonly string[];

/** A null step is left out, unless device and fstype make it built in. */
export type AttachPlan = {
  /** Where it is mounted: the first volume. */
  path: string;
  /** Both, or neither. */
  built_in: { device: string; fstype: string; options: string | null } | null;
  attach: Command | null;
  fsck: Command | null;
  mount: Command | null;
  unmount: Command | null;
  detach: Command | null;
  /** For each step but fsck. */
  step_timeout_ms: number;
  fsck_timeout_ms: number;
};

const steps = ["attach", "device", "fsck", "mount", "unmount", "detach"] as const satisfies OptionName[];

/** null: no step is given, so the volume has to be there. */
export function read_attach(
  values: Values,
  volumes: readonly VolumeRequirement[],
  templates: Templates,
): AttachPlan | null {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(what, "", remedy);
  };
  const needs = (name: OptionName, other: OptionName): void => {
    if (values[name] !== undefined && values[other] === undefined)
      refuse(`--${name} is given without --${other}`, `give --${other}, or leave --${name} out`);
  };
  needs("device", "fstype");
  needs("fstype", "device");
  needs("mount-options", "device");
  needs("detach", "attach");
  const [first] = steps.filter((name) => values[name] !== undefined);
  if (first === undefined) return null;
  const [volume] = volumes;
  if (volume === undefined)
    return refuse(`--${first} is given, but no volume`, "give --volume PATH, where it is mounted");
  if (values.device === undefined && values.mount === undefined) {
    needs("fsck", "mount");
    needs("unmount", "attach");
  }
  const device = values.device === undefined ? undefined : expand(values.device, templates, "--device");
  if (device?.startsWith("/") === false)
    refuse(`--device is ${JSON.stringify(device)}, which is no path from / on`, "write e.g. /dev/nbd0");
  const fstype = values.fstype ?? "";
  if (!/^[\w.-]*$/.test(fstype)) refuse(`--fstype is ${JSON.stringify(fstype)}`, "write e.g. ext4");
  return {
    path: volume.path,
    built_in: device === undefined ? null : { device, fstype, options: values["mount-options"] ?? null },
    attach: values.attach ?? null,
    fsck: values.fsck ?? null,
    mount: values.mount ?? null,
    unmount: values.unmount ?? null,
    detach: values.detach ?? null,
    step_timeout_ms: values["attach-timeout"] ?? 60_000,
    fsck_timeout_ms: values["fsck-timeout"] ?? 3_600_000,
  };
}
