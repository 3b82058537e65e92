// The protocol and its environment as steps: what may happen next, in every order. Each step names the rule it stands for.
#pragma once
#include "options.h"
#include "state.h"
#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <vector>

struct Next {
  State state;
  char what[96];
};

static std::vector<Next> nexts;
static bool describing = false; // sentences are made for traces only
static const char *names = "ABCD";
static u8 name_of[N]; // which letter an instance has in the trace

static char letter(int i) { return names[name_of[i]]; }

__attribute__((format(printf, 2, 3))) static void emit(const State &state, const char *format, ...) {
  nexts.emplace_back();
  nexts.back().state = state;
  if (!describing) return;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(nexts.back().what, sizeof nexts.back().what, format, arguments);
  va_end(arguments);
}

/** Who has seen nothing and done nothing. */
static Instance unborn() {
  Instance x = {};
  for (Sight &sight : x.sight) sight = {OTHER, 0};
  return x;
}

static const char *plural(int ticks) { return ticks == 1 ? "" : "s"; }
static const char *aged(int k) { return k == 0 ? "" : k == 1 ? " (a view one tick old)" : " (an older view)"; }

/** A version that no one has seen. */
static u8 fresh_version(const State &s, int j) {
  u8 highest = std::max(s.snapshot.version[j], s.instance[j].beat.version);
  for (const Volume &view : s.view) highest = std::max(highest, view.version[j]);
  for (const Instance &other : s.instance) {
    if (other.sight[j].version != OTHER) highest = std::max(highest, other.sight[j].version);
    if (other.reading == j + 1) highest = std::max(highest, other.read_version);
  }
  return highest + 1;
}

/** R2: ticks until the app's deadline. */
static int app_left(const Instance &x, int i) {
  switch (mode_of(i)) {
  case STOP: return std::min(x.left, x.lock_left);
  case LOCK_ALONE: return x.lock_left;
  case THE_LARGER: return std::max(x.left, x.lock_left);
  default: return x.left;
  }
}

/** R3: may a beat still count? */
static bool chain_holds(const Instance &x, int i) {
  if (opt.chain_ignored) return true;
  if (x.counted) return x.left > 0;
  return opt.no_first_chain || x.since_sent < tv_of(i) + opt.drift;
}

/** R5.2: the lock, when there is one. */
static void lock_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  if (!opt.lock || x.life != ALIVE) return;
  const bool free = s.lock_holder == 0 || (opt.lock == 2 && s.lock_holder != i + 1);
  const bool ours = s.lock_holder == i + 1 || opt.lock == 2;
  if (x.stage == WATCHING && x.lock_left == 0 && free) {
    t = s, t.lock_holder = i + 1, t.lock_left = t.instance[i].lock_left = opt.ttl;
    emit(t, "%c takes the lock", letter(i));
  }
  if (x.lock_left > 0 && ours && (x.lock_left < opt.ttl || s.lock_left < opt.ttl)) {
    t = s, t.instance[i].lock_left = opt.ttl;
    if (s.lock_holder == i + 1) t.lock_left = opt.ttl;
    emit(t, "%c renews the lock", letter(i));
  }
  if (x.stage == RUNNING && x.lock_left == 0 && s.lock_holder == 0 && mode_of(i) == HOLD) {
    t = s, t.lock_holder = i + 1, t.lock_left = t.instance[i].lock_left = opt.ttl;
    emit(t, "%c takes the free lock again (R6)", letter(i));
  }
}

/** R4: what i concludes from reading j's beat: nothing (-1), not silent (0), silent (1). Moves i's sight of j. */
static int conclude(Instance &x, int i, int j, u8 version, u8 content, bool named, int ticks) {
  Sight &sight = x.sight[j];
  if (content == TORN && !opt.torn_as_bytes) {
    if (opt.torn_is_unchanged) return ticks >= quiet(i, j);
    if (!opt.torn_is_missing) {
      sight = {OTHER, 0};
      return 0;
    }
    version = 0;
  }
  if (version == 0 && (!named || opt.missing_is_silent)) {
    sight = {OTHER, 0};
    return 1;
  }
  if (version != sight.version) {
    sight = {version, 0};
    ticks = 0;
  }
  if (version == 0) return ticks >= quiet_missing(i, j);
  if (content == RELEASED || (content == CLAIMING && opt.fast_path)) return 1;
  return ticks >= quiet(i, j);
}

/** R9: with `paranoid` the look takes as long as a lease and a view's age. */
static bool waited(const Instance &x) { return !opt.paranoid || x.since_known >= opt.tv + A + opt.drift; }

/** Notes what was concluded, if the read counts for the look. The look is over with the last one that it needs. */
static void note(Instance &x, int i, int j, int silent, bool counts) {
  if (!counts || !waited(x)) return;
  if (silent) x.silent |= 1 << j;
  else x.silent &= ~(1 << j);
  if (x.silent == (((1 << N) - 1) & ~(1 << i))) x.stage = CLEARED;
}

/** R5.1 and R5.4: reads of another's beat. Standbys read all the time, a look begins 2A after the acknowledgement. */
static void read_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  if (x.life != ALIVE || x.stage == CLAIM_SENT || never(opt.never_reads, i)) return;
  if (x.stage == WATCHING && never(opt.never_watches, i)) return;
  if (x.stage > LOOKING && !opt.sweeps) return;
  const bool looks = x.stage == LOOKING && (opt.look_at_once || x.since_known >= 2 * A);
  if (x.reading) {
    const int j = x.reading - 1;
    t = s;
    Instance &y = t.instance[i];
    const int silent = conclude(y, i, j, x.read_version, x.read_content, has_claim(s.view[0], j),
                                x.read_old & 1 ? quiet(i, j) : 0);
    y.reading = y.read_version = y.read_content = y.read_old = 0;
    note(y, i, j, silent, looks && (x.read_old & 2 || opt.early_read));
    emit(t, "%c's read of %c's beat returns%s", letter(i), letter(j), y.stage == CLEARED ? ": silent; the look is over" : silent ? ": silent" : "");
    return;
  }
  for (int j = 0; j < N; j++) {
    if (j == i) continue;
    for (int k = 0; k <= A; k++) {
      const Volume &view = s.view[k];
      if (k && view.version[j] == s.view[k - 1].version[j]) continue;
      if (opt.split_reads) {
        t = s;
        Instance &y = t.instance[i];
        y.reading = j + 1, y.read_version = view.version[j], y.read_content = view.content[j];
        y.read_old = (x.sight[j].ticks >= quiet(i, j) ? 1 : 0) | (looks ? 2 : 0);
        emit(t, "%c reads %c's beat%s; the answer is on its way", letter(i), letter(j), aged(k));
        continue;
      }
      // The listing that names it may be of another age than the read.
      for (int named = 0; named < 2; named++) {
        bool possible = (opt.torn_claim_ignored || view.version[j]) && !named;
        for (const Volume &listing : s.view) possible |= !view.version[j] && has_claim(listing, j) == (named == 1);
        if (!possible) continue;
        t = s;
        Instance &y = t.instance[i];
        const bool claimed = named || (view.version[j] && has_claim(view, j));
        const int silent = conclude(y, i, j, view.version[j], view.content[j], claimed, x.sight[j].ticks);
        note(y, i, j, silent, looks);
        if (std::memcmp(&t, &s, sizeof t) == 0) continue;
        const char *found = view.version[j]              ? (view.content[j] == RELEASED ? "`released`" : "a beat")
                            : named ? "a claim and no beat"
                                    : "nothing";
        emit(t, "%c reads of %c: %s%s%s", letter(i), letter(j), found, aged(k),
             !silent ? "" : y.stage == CLEARED ? ": silent; the look is over" : ": silent");
      }
    }
  }
}

/** R5.2 and R5.3: n is the highest claim listed + 1; it lands at any time, atomically. */
static void claim_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  if (x.life == ALIVE && x.stage == WATCHING && (!opt.lock || x.lock_left > 0) && !never(opt.never_claims, i)) {
    int before = -1;
    for (int k = 0; k <= A; k++) {
      const int n = newest_claim(s.view[k]) + 1;
      if (n > CLAIMS || n == before) continue;
      before = n;
      t = s;
      Instance &y = t.instance[i];
      y.stage = CLAIM_SENT, y.claim = n, y.claim_op = IN_FLIGHT;
      emit(t, "%c lists the claims%s and sends claim %d", letter(i), aged(k), n);
    }
  }
  if (x.claim_op != IN_FLIGHT) return;
  t = s;
  Instance &y = t.instance[i];
  y.claim_op = DONE;
  if (s.view[0].claim[x.claim]) {
    y.life = OVER;
    emit(t, "claim %d of %c: there is one already (EEXIST)", x.claim, letter(i));
    return;
  }
  t.view[0].claim[x.claim] = i + 1;
  if (x.life == ALIVE) {
    y.stage = LOOKING;
    // R4: how long a beat is missing counts anew from here.
    for (Sight &sight : y.sight)
      if (sight.version == 0 && !opt.missing_before_claim) sight = {OTHER, 0};
    emit(t, "claim %d of %c is made and acknowledged", x.claim, letter(i));
  } else emit(t, "claim %d of %c is made late, after its end", x.claim, letter(i));
}

/** The content that a write of i leaves behind. A file that was unlinked since it was opened gets it in vain. */
static void write_beat(State &t, int i, u8 content) {
  t.view[0].version[i] = content == NOTHING ? 0 : fresh_version(t, i);
  t.view[0].content[i] = content;
}

static void beat_counts(const State &s, int i) {
  const Instance &x = s.instance[i];
  const int most = opt.drift;
  for (int longer = 0; longer <= most; longer++) {
    const int left = tv_of(i) + longer - x.beat.ticks;
    if (left <= 0 || !chain_holds(x, i)) continue;
    State t = s;
    Instance &y = t.instance[i];
    y.left = std::max<int>(x.left, left), y.counted = 1;
    if (x.beat.after_look) y.cleared_beat = 1;
    y.beat = {};
    emit(t, "%c's beat counts: V in %d tick%s", letter(i), y.left, plural(y.left));
  }
}

/** R3: write, list, read back, count; each takes as long as it likes. */
static void beat_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  const bool alive = x.life == ALIVE;
  if (alive && x.stage >= LOOKING && x.beat.phase == NO_BEAT && chain_holds(x, i) && !never(opt.never_beats, i)) {
    t = s;
    Beating &beat = t.instance[i].beat;
    beat.phase = WRITING, beat.after_look = x.stage == CLEARED;
    beat.content = !x.app && opt.fast_path ? CLAIMING : SHOWS_LIFE;
    emit(t, "%c begins a beat", letter(i));
  }
  if (x.beat.phase == WRITING && opt.torn) {
    t = s;
    t.instance[i].beat.phase = HALF_WRITTEN;
    if (!x.beat.lost) write_beat(t, i, TORN);
    emit(t, "%c's beat is half written", letter(i));
  }
  if (x.beat.phase == HALF_WRITTEN || (x.beat.phase == WRITING && !opt.torn)) {
    t = s;
    Beating &beat = t.instance[i].beat;
    if (!x.beat.lost) {
      write_beat(t, i, x.beat.content);
      if (beats_at_risk()) beat.version = t.view[0].version[i];
    }
    beat.phase = alive ? WRITTEN : NO_BEAT;
    emit(t, "%c's beat is on the volume%s%s", letter(i), x.beat.lost ? ", in a file that was unlinked" : "",
         alive ? "" : ", after its end");
  }
  if (alive && x.beat.phase == WRITTEN) {
    bool good = false;
    for (const Volume &view : s.view) {
      bool fine = opt.no_own_claim || view.claim[x.claim] == i + 1;
      for (int n = x.claim + 1; n <= CLAIMS && !opt.no_listing && !opt.torn_claim_ignored; n++) {
        const int owner = view.claim[n] - 1;
        if (owner < 0) continue;
        bool withdrawn = false;
        for (const Volume &read : s.view) withdrawn |= read.content[owner] == RELEASED;
        // Who has not started yet stands back from any higher claim; else tokens would not grow.
        if (!withdrawn || (x.stage != RUNNING && !opt.withdrawn_above)) fine = false;
      }
      good |= fine;
    }
    if (good && (!beats_at_risk() || opt.no_read_back)) beat_counts(s, i);
    else if (good) {
      t = s, t.instance[i].beat.phase = LISTED;
      emit(t, "%c lists: its own claim, none higher", letter(i));
    }
    t = s, t.instance[i].beat = {};
    emit(t, "%c's beat does not count", letter(i));
  }
  if (alive && x.beat.phase == LISTED) {
    bool seen = false;
    for (const Volume &view : s.view) seen |= x.beat.version && view.version[i] == x.beat.version;
    if (seen) beat_counts(s, i);
    t = s, t.instance[i].beat = {};
    emit(t, "%c's beat does not count", letter(i));
  }
}

/** R5.4's end, R5.5: the app starts. */
static void start_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  if (x.life != ALIVE) return;
  if (x.stage == LOOKING && !x.reading) {
    if (opt.no_look || (opt.trust_lock && x.lock_left > 0)) {
      t = s, t.instance[i].stage = CLEARED;
      emit(t, "%c does not look", letter(i));
    }
  }
  if (x.stage != CLEARED || !x.counted || (!x.cleared_beat && !opt.no_last_beat)) return;
  if (app_left(x, i) <= opt.margin) return;
  t = s;
  t.instance[i].app = 1, t.instance[i].stage = RUNNING;
  emit(t, "%c STARTS ITS APP with token %d, deadline in %d tick%s", letter(i), x.claim, app_left(x, i),
       plural(app_left(x, i)));
}

/** R7: an end of any kind, the guard's kill, and `released` by the controller or by the release program. */
static void end_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  if (x.life == ALIVE && x.stage >= CLAIM_SENT && !never(opt.never_ends, i)) {
    t = s, t.instance[i].life = OVER;
    emit(t, "%c ends: crash, stop or withdrawal", letter(i));
    if (opt.release_early && x.stage >= LOOKING) {
      t.instance[i].release_op = IN_FLIGHT;
      emit(t, "%c ends and sends `released`; app %s", letter(i), x.app ? "alive" : "dead");
    }
    return;
  }
  if (x.life != OVER) return;
  if (x.app) {
    t = s, t.instance[i].app = 0;
    emit(t, "%c's app is dead", letter(i));
  }
  if (x.release_op == NONE && x.stage >= CLAIM_SENT && (!x.app || opt.release_program_early)) {
    t = s, t.instance[i].release_op = IN_FLIGHT;
    emit(t, "%c's `released` is sent; app %s", letter(i), x.app ? "alive" : "dead");
  }
  if (x.release_op == IN_FLIGHT && opt.torn) {
    t = s, t.instance[i].release_op = HALF_DONE;
    write_beat(t, i, TORN);
    emit(t, "%c's `released` is half written", letter(i));
  }
  if (opt.reuse_id && !x.app) {
    t = s;
    Instance &y = t.instance[i];
    y = unborn(), y.release_op = x.release_op;
    emit(t, "%c acquires again under the same id", letter(i));
  }
}

static void released_lands(const State &s, int i) {
  const Instance &x = s.instance[i];
  if (x.release_op != HALF_DONE && !(x.release_op == IN_FLIGHT && !opt.torn)) return;
  State t = s;
  write_beat(t, i, RELEASED);
  t.instance[i].release_op = opt.reuse_id ? NONE : DONE;
  emit(t, "%c's `released` is on the volume", letter(i));
}

static void unlink_beat(State &t, int j) {
  t.view[0].version[j] = t.view[0].content[j] = 0;
  Beating &beat = t.instance[j].beat;
  if (beat.phase == WRITING || beat.phase == HALF_WRITTEN) beat.lost = 1;
}

/**
 * R8: claims first, never the newest; then beats of the ended and the silent that no claim names. sweeps=1: by who runs, as
 * the product does it; sweeps=2: by anybody.
 */
static void sweep_steps(const State &s, int i) {
  const Instance &x = s.instance[i];
  State t;
  if (x.sweep_claim) {
    t = s, t.instance[i].sweep_claim = 0, t.view[0].claim[x.sweep_claim] = 0;
    emit(t, "claim %d is gone, swept by %c", x.sweep_claim, letter(i));
  }
  if (x.sweep_beat) {
    const int j = x.sweep_beat - 1;
    t = s, t.instance[i].sweep_beat = 0, unlink_beat(t, j);
    emit(t, "%c's beat is gone, swept by %c", letter(j), letter(i));
  }
  if (x.life != ALIVE || x.sweep_claim || x.sweep_beat || never(opt.never_sweeps, i)) return;
  if (opt.sweeps == 1 && x.stage != RUNNING) return;
  for (int j = 0; j < N; j++) {
    if (j == i) continue;
    bool silent = false;
    for (const Volume &view : s.view) {
      const Sight &sight = x.sight[j];
      silent |= view.content[j] == RELEASED;
      silent |= view.version[j] && (view.content[j] != TORN || opt.torn_as_bytes) &&
                view.version[j] == sight.version && sight.ticks >= quiet_sweep(i, j);
    }
    if (!silent) continue;
    bool unnamed = false;
    for (const Volume &view : s.view) unnamed |= !has_claim(view, j);
    for (int n = 1; n <= CLAIMS; n++) {
      bool listed = false;
      for (const Volume &view : s.view)
        listed |= view.claim[n] == j + 1 && (n != newest_claim(view) || opt.sweep_newest);
      if (!listed) continue;
      t = s, t.instance[i].sweep_claim = n;
      emit(t, "%c sends the unlink of claim %d, of the silent %c", letter(i), n, letter(j));
    }
    if (s.view[0].version[j] && (unnamed || opt.sweep_named)) {
      t = s, t.instance[i].sweep_beat = j + 1;
      emit(t, "%c sends the unlink of the silent %c's beat", letter(i), letter(j));
    }
  }
}

/** What operators and storage do. */
static void environment_steps(const State &s) {
  State t;
  if (opt.delete_key && s.lock_holder) {
    t = s, t.lock_holder = t.lock_left = 0;
    emit(t, "the lock's key is deleted");
  }
  if (s.beats_removed < opt.remove_beats)
    for (int j = 0; j < N; j++) {
      if (!s.view[0].version[j]) continue;
      t = s, t.beats_removed++, unlink_beat(t, j);
      emit(t, "the operator removes %c's beat", letter(j));
    }
  if (s.claims_removed < opt.remove_claims)
    for (int n = 1; n <= CLAIMS; n++) {
      if (!s.view[0].claim[n]) continue;
      t = s, t.claims_removed++, t.view[0].claim[n] = 0;
      emit(t, "the operator removes claim %d", n);
    }
  if (opt.rollback == 2 && s.snapshot_state == 0) {
    t = s, t.snapshot_state = 1, t.snapshot = s.view[0];
    emit(t, "a snapshot of the volume is taken");
  }
  if (opt.rollback && s.snapshot_state == opt.rollback - 1) {
    t = s, t.snapshot_state = 2;
    for (int j = 0; j < N; j++) unlink_beat(t, j);
    t.view[0] = s.snapshot, t.snapshot = {};
    emit(t, "THE VOLUME IS ROLLED BACK");
  }
}

/** Time passes for everybody. The guard kills at V - margin, by `late` ticks late. */
static void tick(const State &s) {
  if (s.ticks == opt.ticks) return;
  State t = s;
  if (opt.ticks > 0) t.ticks++;
  auto up_to = [](u8 &counter, int most) {
    if (counter < most) counter++;
  };
  for (int i = 0; i < N; i++) {
    Instance &x = t.instance[i];
    const int longest = tv_of(i) + opt.drift;
    if (x.left) x.left--;
    if (x.lock_left) x.lock_left--;
    if (x.dying) x.dying++;
    else if (x.app && app_left(x, i) <= opt.margin) x.dying = 1;
    if (x.dying > opt.late) x.app = x.dying = 0, x.life = OVER;
    if (x.beat.phase) up_to(x.beat.ticks, longest);
    if (x.life != ALIVE) continue;
    if (x.stage >= CLAIM_SENT && !x.counted) up_to(x.since_sent, longest);
    if (x.stage == LOOKING) up_to(x.since_known, opt.paranoid ? std::max(2 * A, opt.tv + A + opt.drift) : 2 * A);
    for (int j = 0; j < N; j++) up_to(x.sight[j].ticks, quiet(i, j) + A);
  }
  if (t.lock_left && --t.lock_left == 0) t.lock_holder = 0;
  for (int k = A; k > 0; k--) t.view[k] = t.view[k - 1];
  emit(t, "-- a tick --");
}

static void all_steps(const State &s) {
  nexts.clear();
  for (int i = 0; i < N; i++) {
    lock_steps(s, i);
    read_steps(s, i);
    claim_steps(s, i);
    beat_steps(s, i);
    start_steps(s, i);
    end_steps(s, i);
    released_lands(s, i);
    if (opt.sweeps) sweep_steps(s, i);
  }
  environment_steps(s);
  tick(s);
}
