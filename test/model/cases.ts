// What the explorer is run with: configurations in which nothing may be found, and the planted defects, which have to be. The
// words are those of options.h. Removals and rollbacks can take the counter of claims back, hence tokens=0 there.

export type Case = { instances: number; view_age: number; words: string };

const of = (instances: number, view_age: number, ...all: string[]): Case[] =>
  all.map((words) => ({ instances, view_age, words }));

/** Seconds each. */
export const small: Case[] = [
  ...of(2, 0, "tv=3", "tv=2 drift=1", "tv=3 tv0=2", "tv=2 margin=1 late=1", "tv=2 sweeps=2 torn"),
  ...of(2, 0, "tv=2 torn torn_as_bytes", "tv=2 split_reads", "tv=2 remove_beats=2"),
  ...of(2, 0, "tv=2 remove_claims=2 tokens=0", "tv=2 lock=1 mode=1 delete_key"),
  ...of(2, 0, "tv=2 lock=2 mode=2 mode0=1 delete_key", "tv=2 rollback=2 paranoid tokens=0"),
  ...of(2, 1, "tv=2", "tv=2 sweeps=2"),
];

/** Minutes to an hour each: npm run test:long -- model. */
export const large: Case[] = [
  ...of(2, 0, "tv=2 split_reads remove_claims=1 tokens=0", "tv=2 sweeps=2 remove_beats=1 torn"),
  ...of(2, 0, "tv=2 remove_beats=2 remove_claims=2 paranoid tokens=0", "tv=4 drift=1 sweeps=2"),
  ...of(2, 1, "tv=3 drift=1 sweeps=2", "tv=2 sweeps=2 torn", "tv=2 lock=2 mode=1 delete_key"),
  ...of(
    2,
    1,
    "tv=2 lock=2 mode=2 mode0=1 delete_key",
    "tv=2 rollback=2 paranoid tokens=0",
    "tv=2 remove_beats=2 sweeps=2",
  ),
  ...of(2, 2, "tv=3", "tv=5 sweeps=2"),
  ...of(3, 0, "tv=2"),
];

export type Plant = Case & { trap: string; what: string };

const plant = (trap: string, what: string, instances: number, view_age: number, words: string): Plant => ({
  ...{ trap, what, instances, view_age, words },
});

/** trap: its number in docs/volume-lease.md; a letter where a rule has no trap of its own there. */
export const plants: Plant[] = [
  plant("1", "who has not run yet counts as silent", 2, 0, "tv=2 fast_path"),
  plant("2", "no look after the claim", 2, 0, "tv=2 no_look"),
  plant("3", "a deadline from the lock alone", 2, 0, "tv=2 lock=2 mode=3"),
  plant("3", "the larger of the two deadlines", 2, 0, "tv=2 lock=1 ttl=3 delete_key mode=4"),
  plant(
    "4",
    "no look for who has the lock, of a service that grants twice",
    2,
    0,
    "tv=2 lock=2 mode=1 trust_lock",
  ),
  plant("5", "the look right after the claim, on a volume whose views are old", 2, 1, "tv=2 look_at_once"),
  plant(
    "6",
    "a read begun before the claim is the look's",
    ...([2, 0, "tv=2 split_reads early_read remove_claims=1 tokens=0"] as const),
  ),
  plant("7", "an id is used again, and its old `released` comes late", 2, 0, "tv=2 reuse_id tokens=0"),
  plant(
    "8",
    "a sweep races a first beat: no first chain deadline, beats swept that a claim names, what is missing is silent",
    ...([2, 0, "tv=2 sweeps=2 no_first_chain sweep_named missing_is_silent"] as const),
  ),
  plant(
    "8",
    "the same, and the newest claim is swept first",
    ...([2, 0, "tv=2 sweeps=2 no_first_chain sweep_newest tokens=0"] as const),
  ),
  plant("9", "`released` is written while the app lives", 2, 0, "tv=2 release_early"),
  plant("9", "the same by the release program", 2, 0, "tv=2 release_program_early"),
  plant("10", "the observer's own tv instead of the recorded one", 2, 0, "tv=2 tv0=3 own_tv"),
  plant("11", "the clocks' difference is left out", 2, 0, "tv=2 drift=1 drift_ignored"),
  plant("12", "a missing beat is silence", 2, 0, "tv=2 remove_beats=1 missing_is_silent"),
  plant(
    "12",
    "how long it is missing counts from before the own claim",
    ...([2, 0, "tv=2 remove_beats=1 missing_before_claim"] as const),
  ),
  plant("13", "a rollback without R9", 2, 0, "tv=2 rollback=2 tokens=0"),
  plant("a", "a torn beat is no beat", 2, 0, "tv=2 torn torn_is_missing missing_is_silent"),
  plant("a", "a torn beat has not changed", 2, 0, "tv=2 torn torn_is_unchanged"),
  plant("a", "an unreadable claim is no claim", 2, 0, "tv=2 torn torn_claim_ignored"),
  plant("b", "the guard is later than its margin", 2, 0, "tv=2 late=1"),
  plant("c", "a beat counts whatever is listed", 2, 0, "tv=2 remove_beats=1 no_listing"),
  plant("c", "a beat counts without its own claim", 2, 0, "tv=2 remove_claims=1 no_own_claim tokens=0"),
  plant("c", "a beat counts after the chain deadline", 2, 0, "tv=2 remove_claims=1 chain_ignored tokens=0"),
  plant("d", "the newest claim is swept: its number comes again", 2, 0, "tv=2 sweeps=2 sweep_newest"),
  plant(
    "d",
    "a claimant goes on below a withdrawn claim: tokens go back",
    ...([
      3,
      0,
      // Without a tick, and with a part for each: A is late, B only claims, C runs and sweeps.
      "tv=2 sweeps withdrawn_above ticks=0 never_sweeps=3 never_beats=2 never_reads=2 never_ends=1 never_watches=5",
    ] as const),
  ),
];
