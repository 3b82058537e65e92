import { type Command, Option } from "commander";
import { quoted } from "../config/quoted.ts";
import { parse_value } from "../config/values.ts";
import { parse_volume, plain_volume, read_volumes, type VolumeRequirement } from "../config/volume.ts";
import { UsageError, VolumeFailed } from "../errors.ts";
import { boot_clock } from "../guard/boot-clock.ts";
import { fresh_uuid } from "../guard/kernel.ts";
import { check_volume, twins_among } from "../storage/check.ts";
import { type Identity, wrong_label } from "../storage/identity.ts";
import { label_volume } from "../storage/label.ts";
import { ProbeStore } from "../storage/lease/probe-store.ts";
import { highest_claim, read_scene, type Scene } from "../storage/lease/scene.ts";
import { measure_ages } from "../storage/pair.ts";
import { look_at } from "../storage/probing.ts";
import { report_of, type VolumeReport } from "../storage/report.ts";
import { real_time } from "../shell/time.ts";
import { format_option } from "./format.ts";
import { add_options, once, read_settings } from "./options.ts";
import { type Terminal, warn_all } from "./terminal.ts";
import { check_lines, pair_lines, show_json, show_text } from "./volume-text.ts";

/** For commands, which nobody waits for in a hurry. */
const limit_ms = 10_000;

/** What a restored volume's counter jumps ahead by: more claims than were ever made after its snapshot. */
const jump = 1_000_000n;

type Labelling = { label?: string; ttl?: string; directory?: true; replace?: true; restored?: true };

/** `leasehold volume init|adopt|show|check`. */
export function add_volume(program: Command, terminal: Terminal): void {
  const { write } = terminal;
  const volume = program.command("volume").summary("label, show and check a volume");
  volume.description(
    "Labels, shows and checks a volume. All of it runs in jobs: a volume that hangs is said to hang.",
  );
  volume.addHelpText("after", "\nExample:\n  leasehold volume check /data,type=nfs4");

  const init = labelling(volume.command("init"))
    .summary("give an empty volume its identity")
    .description("Gives an empty volume its identity, once. Everything that requires it finds it by that.")
    .addHelpText("after", "\nExample:\n  leasehold volume init /data --label mysql");
  init.option("--replace", "also where an identity lies that can't be read");
  init.option("--restored", "a snapshot was restored: a new id, all tokens anew");
  init.action(async (path: string, options: Labelling) => {
    const identity = await label(path, options, false);
    write(`the volume ${path} is ${identity.id}\n`);
  });

  labelling(volume.command("adopt"))
    .summary("give a volume that holds data its identity")
    .description("Gives a volume that already holds data its identity. Nothing of the data is touched.")
    .addHelpText("after", "\nExample:\n  leasehold volume adopt /data --label mysql")
    .action(async (path: string, options: Labelling) => {
      const identity = await label(path, options, true);
      write(`the volume ${path} is ${identity.id}\n`);
    });

  volume
    .command("show")
    .argument("<path>")
    .addOption(format_option(["text", "json"]))
    .summary("print its identity, mount, claims and beats")
    .description(
      "Prints who the volume is, what is mounted there, and who has claimed it. It changes nothing.",
    )
    .addHelpText("after", "\nExample:\n  leasehold volume show /data")
    .action(async (path: string, { format }: { format?: string }) => {
      const { report, scene } = await look(path);
      if (report.identity === null) throw new VolumeFailed(report.because, path);
      write(format === "json" ? show_json(report, scene) : show_text(report, scene));
    });

  add_options(volume.command("check"), ["config", "node"], ["config"])
    .argument("[volume]", "PATH[,type=…]… as --volume takes it")
    .option("--pair <PATH>", "the same volume, mounted a second time: measure A", once("--pair"))
    .option("--for <D>", "how long to measure (60s)", once("--for"))
    .summary("say what is right and what isn't")
    .description("Checks a volume, or all volumes of the configuration, as run does before the start.")
    .addHelpText("after", "\nExample:\n  leasehold volume check /data,type=nfs4,min-free=10GiB")
    .action(async (text: string | undefined, options: { pair?: string; for?: string }, command: Command) => {
      const requirements = text === undefined ? await configured(command, terminal) : [one(text)];
      const reports = await check_all(requirements, terminal);
      const [first] = requirements;
      if (options.pair !== undefined && first)
        await pair(first.path, options.pair, options.for ?? "60s", reports, write);
    });
}

function labelling(command: Command): Command {
  return command
    .argument("<path>")
    .addOption(new Option("--label <NAME>", "a name for people").argParser(once("--label")))
    .addOption(new Option("--ttl <D>", "the volume lease's length (30s)").argParser(once("--ttl")))
    .option("--directory", "a plain directory on purpose, nothing is mounted");
}

/** A requirement as --volume takes it. */
function one(text: string): VolumeRequirement {
  const [requirement] = read_volumes([parse_volume(text, "the volume")], { node: "", env: process.env });
  if (requirement === undefined) throw new UsageError("no volume is given", text, "give its path");
  return requirement;
}

async function configured(command: Command, terminal: Terminal): Promise<readonly VolumeRequirement[]> {
  const settings = await read_settings(command);
  warn_all(terminal, settings);
  if (settings.volumes.length === 0)
    throw new UsageError("no volume is given", "", "give its path, or --config");
  return settings.volumes;
}

async function look(path: string): Promise<{ report: VolumeReport; scene: Scene }> {
  const requirement = one(path);
  const time = real_time(await boot_clock());
  const sight = await look_at(requirement.path, { instance: null, list: true, limit_ms, time });
  const report = report_of({ ...requirement, probe: { ...requirement.probe, limit_ms } }, sight, {
    expected_id: null,
    at: "start",
  });
  if (sight.facts?.kind !== "dir" || sight.identity === undefined)
    throw new VolumeFailed(report.because, path);
  const pass = await new ProbeStore({ path: requirement.path, time, limit_ms }).pass([]);
  if ("exists" in pass) throw new Error("a look creates nothing");
  return { report, scene: read_scene(pass.view) };
}

async function label(path: string, options: Labelling, adopt: boolean): Promise<Identity> {
  const { label: name = null, replace, restored, directory } = options;
  const wrong = name === null ? undefined : wrong_label(name);
  if (name !== null && wrong !== undefined)
    throw new UsageError(`--label ${quoted(name)} is no name: it ${wrong}`, name, "choose another");
  const { report, scene } = await look(path);
  const { identity, mount } = report;
  const tv_ms =
    options.ttl === undefined ? (identity?.tv_ms ?? 30_000) : parse_value("ttl", options.ttl, "--ttl");
  const plain = mount === null || mount.point === "/";
  const damaged = identity === null && report.verdict === "wrong";
  const refuse = (what: string, remedy: string): never => {
    throw new VolumeFailed(`the volume ${quoted(path)} ${what}; ${remedy}`, path);
  };
  if (restored === true && identity === null)
    refuse("has no identity that could be replaced", "leave --restored out");
  if (identity !== null && restored !== true)
    refuse(
      `has an identity already, ${identity.id}${identity.label === null ? "" : ` (${identity.label})`}`,
      "nothing is left to do",
    );
  if (plain && directory !== true && identity?.directory !== true)
    refuse(
      "is only a directory on the container's own file system: nothing is mounted there",
      "mount the volume, or give --directory if it is meant so",
    );
  if (!plain && directory === true)
    refuse(`is no plain directory: ${mount.type} is mounted there`, "leave --directory out");
  if (damaged && replace !== true) throw new VolumeFailed(report.because, path);
  if (!report.empty && !adopt && restored !== true && replace !== true)
    refuse("holds data already", "leasehold volume adopt labels it as it is");
  if (report.names?.includes("PG_VERSION") === true)
    refuse(
      "has PostgreSQL's data directly at the mount point",
      "move it into a directory on the volume and give PGDATA that",
    );
  const fresh: Identity = {
    id: fresh_uuid(),
    label: name ?? identity?.label ?? null,
    created: new Date().toISOString(),
    tv_ms,
    directory: plain,
  };
  const labelled = await label_volume(one(path).path, fresh, {
    time: real_time(await boot_clock()),
    limit_ms,
    replace: identity !== null || damaged,
    first: restored === true ? highest_claim(scene) + jump : 0n,
  });
  if (labelled.how === "failed") throw new VolumeFailed(labelled.because, path);
  if (labelled.how === "found")
    refuse(`was labelled by somebody else just now, ${labelled.identity.id}`, "nothing is left to do");
  return labelled.identity;
}

async function check_all(
  requirements: readonly VolumeRequirement[],
  { write }: Terminal,
): Promise<VolumeReport[]> {
  const time = real_time(await boot_clock());
  const reports: VolumeReport[] = [];
  for (const requirement of requirements) {
    const report = await check_volume(requirement, {
      expected_id: null,
      at: "start",
      instance: fresh_uuid(),
      time,
    });
    reports.push(report);
    write(check_lines(requirement, report));
    const twins = twins_among(reports);
    if (twins !== null) throw new VolumeFailed(twins, requirement.path);
    if (report.verdict !== "ok") throw new VolumeFailed(report.because, requirement.path);
  }
  return reports;
}

async function pair(
  path: string,
  other: string,
  duration: string,
  [first]: readonly VolumeReport[],
  write: Terminal["write"],
): Promise<void> {
  const refuse = (what: string, remedy: string): never => {
    throw new VolumeFailed(`${quoted(other)} ${what}; ${remedy}`, other);
  };
  const for_ms = parse_value("ttl", duration, "--for");
  const time = real_time(await boot_clock());
  const second = await check_volume(plain_volume(one(other).path), {
    expected_id: first?.id ?? null,
    at: "run",
    instance: fresh_uuid(),
    time,
  });
  if (second.verdict !== "ok") throw new VolumeFailed(second.because, other);
  if (second.mount?.id === first?.mount?.id)
    refuse(`is the same mount as ${quoted(path)}`, "mount the volume a second time, best on another machine");
  const ages = await measure_ages(path, one(other).path, { for_ms, name: fresh_uuid(), time });
  if (typeof ages === "string")
    return refuse(`can't be measured with: ${ages}`, "see leasehold volume check for each");
  write(pair_lines(ages, first ?? second, second));
}
