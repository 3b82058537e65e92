// Many standbys of one lock. When it is free, one of them can have it: if all ask at once, the one that matters waits behind
// the others. So each waits a moment of its own first, and most of them see in time that it was taken.

/** So many contenders, the holder among them, are no crowd: they ask at once. */
export const few = 4;

/** On average the first of a crowd asks after so long. */
const spacing_ms = 4;
const most_ms = 10_000;

/** How long to wait before asking for a lock that is free. */
export function hesitation_ms(contenders: number, random: () => number = Math.random): number {
  return contenders <= few ? 0 : random() * Math.min(contenders * spacing_ms, most_ms);
}
