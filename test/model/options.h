// What can be chosen on the command line, as name or name=number: the configuration, what the environment may do, and the
// planted defects, each of which breaks one rule.
#pragma once
#include "state.h"
#include <cstdio>
#include <cstdlib>
#include <string>

/** How an instance gets its deadline. The last two are defects. */
enum Mode { FILE_LOCK, STOP, HOLD, LOCK_ALONE, THE_LARGER };

struct Options {
  // configuration
  int tv = 3, tv0 = 0; // tv0: another one for the first instance
  int ttl = 3;         // of the lock
  int drift = 0;       // by how many ticks a lease may last longer by its holder's clock than by its observers'
  int margin = 0, late = 0; // the guard's deadline is V - margin; it may be late
  int mode = FILE_LOCK, mode0 = -1;
  int paranoid = 0;
  // environment
  int lock = 0;     // 0 none, 1 a sound one, 2 one that grants twice
  int delete_key = 0;
  int sweeps = 0; // 1: by who runs; 2: by standbys, too
  int torn = 0;
  int split_reads = 0;   // a read takes time
  int remove_beats = 0, remove_claims = 0, rollback = 0; // rollback: 1 to empty, 2 to any moment before
  int tokens = 1;        // demand that tokens grow
  // planted defects: one line of README.md for each
  int fast_path = 0, no_look = 0, trust_lock = 0, look_at_once = 0, early_read = 0, reuse_id = 0;
  int no_first_chain = 0, chain_ignored = 0, release_early = 0, release_program_early = 0;
  int own_tv = 0, drift_ignored = 0, missing_is_silent = 0, missing_before_claim = 0;
  int no_listing = 0, no_own_claim = 0, no_last_beat = 0, no_read_back = 0;
  int torn_is_missing = 0, torn_is_unchanged = 0, torn_claim_ignored = 0;
  int sweep_named = 0, sweep_early = 0, sweep_newest = 0, withdrawn_above = 0;
  // a variant: torn content is compared like any other instead of counting as changed
  int torn_as_bytes = 0;
  // for hunting only: instances (as a sum of 1, 2, 4) that never do this, so that the rest can be searched deeper
  int never_beats = 0, never_sweeps = 0, never_ends = 0, never_reads = 0, never_claims = 0, never_watches = 0;
  int ticks = -1; // no more of them than this
  int limit = 0; // stop after so many million states
};

static Options opt;

struct Row {
  const char *name;
  int *value;
};

static const Row rows[] = {
#define ROW(name) {#name, &opt.name}
    ROW(tv), ROW(tv0), ROW(ttl), ROW(drift), ROW(margin), ROW(late), ROW(mode), ROW(mode0), ROW(paranoid),
    ROW(lock), ROW(delete_key), ROW(sweeps), ROW(torn), ROW(split_reads), ROW(remove_beats), ROW(remove_claims),
    ROW(rollback), ROW(tokens), ROW(fast_path), ROW(no_look), ROW(trust_lock), ROW(look_at_once), ROW(early_read),
    ROW(reuse_id), ROW(no_first_chain), ROW(chain_ignored), ROW(release_early), ROW(release_program_early),
    ROW(own_tv), ROW(drift_ignored), ROW(missing_is_silent), ROW(missing_before_claim), ROW(no_listing),
    ROW(no_own_claim), ROW(no_last_beat), ROW(no_read_back), ROW(torn_is_missing), ROW(torn_is_unchanged),
    ROW(torn_claim_ignored), ROW(sweep_named), ROW(sweep_early), ROW(sweep_newest), ROW(withdrawn_above),
    ROW(torn_as_bytes), ROW(never_beats), ROW(never_sweeps), ROW(never_ends), ROW(never_reads), ROW(never_claims), ROW(never_watches), ROW(ticks),
    ROW(limit),
#undef ROW
};

/** Reads the command line; the program ends when it has a word that is no option. */
inline void read_options(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const int value = equals == std::string::npos ? 1 : std::atoi(word.c_str() + equals + 1);
    bool known = false;
    for (const Row &row : rows)
      if (name == row.name) *row.value = value, known = true;
    if (!known) std::fprintf(stderr, "there is no option %s\n", name.c_str()), std::exit(64);
  }
}

inline int tv_of(int i) { return i == 0 && opt.tv0 ? opt.tv0 : opt.tv; }
inline int mode_of(int i) { return i == 0 && opt.mode0 >= 0 ? opt.mode0 : opt.mode; }

/** For how many ticks i has to see the same of j: R4. The recorded tv, and what the clocks may differ. */
inline int quiet(int i, int j) {
  return (opt.own_tv ? tv_of(i) : tv_of(j)) + (opt.drift_ignored ? 0 : opt.drift);
}

/** The same for one that shows no beat although a claim names it. */
inline int quiet_missing(int i, int j) { return quiet(i, j) + A; }

/** The same for sweeping, which nothing follows that would find an error: a view of age A more. */
inline int quiet_sweep(int i, int j) { return quiet(i, j) + (opt.sweep_early ? 0 : A); }

inline bool never(int mask, int i) { return mask >> i & 1; }
inline bool hunting() {
  return opt.never_beats || opt.never_sweeps || opt.never_ends || opt.never_reads || opt.never_claims ||
         opt.never_watches;
}

/** Whether anything but its writer can change or remove a beat. */
inline bool beats_at_risk() {
  return opt.sweeps || opt.remove_beats || opt.rollback || opt.torn || opt.reuse_id;
}
