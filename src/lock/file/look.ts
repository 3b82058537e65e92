import type { VolumeLease } from "../../storage/lease/lease.ts";
import type { Contender, LockView } from "../lock.ts";

/** Who holds the volume and who stands by, as the beats say. A holder that died without a word is one until somebody watched it for a lease. */
export async function look_at(lease: VolumeLease): Promise<LockView> {
  const { living, record, standbys } = await lease.look();
  const contenders = new Map<string, Contender>();
  for (const { instance, node, address } of standbys) contenders.set(instance, { instance, node, address });
  for (const { self } of living)
    contenders.set(self.instance, { instance: self.instance, node: self.holder, address: self.address });
  return { holder: living[0]?.self ?? null, record, contenders: [...contenders.values()] };
}
