import type { Config } from "../config/load.ts";
import { ConfigError } from "../errors.ts";
import type { VolumeWitness } from "../lock/lock.ts";
import type { VolumeReport } from "../storage/report.ts";

/** Where nobody knows a bound of A, and the lock protects the data as well. */
const assumed_view_age_ms = 1000;

/** The first volume as the lock's second witness, or as the lock itself; undefined: no volume is one. */
export function witness_of(
  { lock, volumes, volume_lease, on_outage }: Config,
  report: VolumeReport | undefined,
  on_note: (sentence: string) => void,
): VolumeWitness | undefined {
  const [volume] = volumes;
  if (!volume || !report) return undefined;
  const { path } = volume;
  if (!volume_lease) {
    if (report.kind?.network === true)
      on_note(
        `--volume-lease is off, and other machines can mount the volume ${path} (${report.kind.name}): nothing but the lock protects its ` +
          "data; leave --volume-lease out",
      );
    return undefined;
  }
  const counted_ms = report.kind?.view_age_ms ?? 0;
  if (volume.view_age_ms !== null && volume.view_age_ms < counted_ms)
    on_note(
      `view-age of the volume ${path} is ${volume.view_age_ms} ms, below the ${counted_ms} ms that are counted with on ${report.kind?.name ?? "it"}; ` +
        "leave it out unless it was measured here",
    );
  const known_ms = volume.view_age_ms ?? report.kind?.view_age_ms ?? (report.kind === null ? 0 : null);
  const alone = lock.scheme === "file" || on_outage === "hold";
  if (known_ms === null && alone) {
    throw new ConfigError(
      `the volume ${path} is ${report.kind?.name ?? "unknown"}, and how old a view of it can be is not known, so it can't vouch alone`,
      path,
      `measure it with leasehold volume check --pair and give --volume ${path},view-age=…, or mount it so that it has a bound (docs/storage.md)`,
    );
  }
  if (known_ms === null)
    on_note(
      `how old a view of the volume ${path} can be is not known: ${assumed_view_age_ms} ms are assumed, the lock protects as well; ` +
        "measure it with leasehold volume check --pair",
    );
  return {
    path,
    id: report.id,
    view_age_ms: known_ms ?? assumed_view_age_ms,
    local: report.kind?.network !== true,
    on_outage,
  };
}
