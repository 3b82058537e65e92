// Looks at every state of the volume lease that can be reached, breadth first, and prints the shortest way to a violation.
//
//   g++ -std=c++17 -O2 -DINSTANCES=2 -DVIEW_AGE=0 -o explore explore.cpp
//   ./explore tv=3 sweeps            (options.h lists the words)
//
// Of each state only a 64-bit hash is kept: two states with one hash would hide one of them, so "no violation" in n states
// is true but for a chance of about n²/2^65. Exit code 0: all seen, none found; 1: found; 3: the limit was reached.
#include "steps.h"
#include <memory>

// ---- One state for many that can't be told apart ----------------------------------------------------------------

/** Forgets what no step will ask for again. */
static void forget(State &s) {
  for (int i = 0; i < N; i++) {
    Instance &x = s.instance[i];
    // R1, R3: a passed chain deadline is the end. (Under the plant it is not.)
    const bool claimed = x.life == ALIVE && x.stage >= LOOKING;
    if (claimed && !x.app && !chain_holds(x, i)) x.life = OVER;
    if (x.beat.phase == NO_BEAT) x.beat = {};
    if (x.beat.phase != WRITTEN && x.beat.phase != LISTED) x.beat.version = 0;
    if (x.counted) x.since_sent = 0;
    if (x.stage >= RUNNING) x.cleared_beat = 0;
    if (x.stage >= CLEARED) {
      x.since_known = x.silent = 0;
      if (!opt.sweeps)
        for (Sight &sight : x.sight) sight = {OTHER, 0};
    }
    if (x.claim_op == DONE && x.life == OVER && !opt.reuse_id) x.claim = 0;
    if (x.life != OVER) continue;
    const Instance was = x;
    x = unborn();
    x.life = OVER, x.app = was.app, x.dying = was.dying, x.claim = was.claim, x.claim_op = was.claim_op;
    x.sweep_claim = was.sweep_claim, x.sweep_beat = was.sweep_beat, x.release_op = was.release_op;
    x.stage = was.stage >= CLAIM_SENT ? LOOKING : WATCHING;
    if (was.app) x.left = was.left, x.lock_left = was.lock_left;
    if (was.beat.phase == WRITING || was.beat.phase == HALF_WRITTEN) {
      x.beat.phase = was.beat.phase, x.beat.content = was.beat.content, x.beat.lost = was.beat.lost;
    }
  }
}

/** Renumbers the contents of each beat file; what nobody can read again is OTHER. */
static void renumber(State &s) {
  for (int j = 0; j < N; j++) {
    u8 number[256] = {0}, last = 0;
    auto keep = [&](u8 &version) {
      if (version == 0) return;
      if (!number[version]) number[version] = ++last;
      version = number[version];
    };
    for (Volume &view : s.view) keep(view.version[j]);
    keep(s.snapshot.version[j]);
    for (Instance &x : s.instance)
      if (x.reading == j + 1) keep(x.read_version);
    auto keep_if_there = [&](u8 &version) {
      if (version && version != OTHER) version = number[version] ? number[version] : OTHER;
    };
    keep_if_there(s.instance[j].beat.version);
    const Instance &writer = s.instance[j];
    bool final = writer.life == OVER && writer.release_op == DONE && writer.beat.phase == NO_BEAT && !opt.reuse_id;
    for (const Volume &view : s.view) final = final && view.content[j] == RELEASED;
    for (int i = 0; i < N; i++) {
      Sight &sight = s.instance[i].sight[j];
      keep_if_there(sight.version);
      if (final && !opt.rollback && !opt.sweeps && !opt.remove_beats) sight.version = OTHER;
      if (sight.version == OTHER && !opt.torn_is_unchanged) sight.ticks = 0; // (the plant goes on counting)
    }
  }
}

/** Instances of equal role are interchangeable: sorts them by what doesn't depend on their places. */
static void sort_instances(State &s, u8 *order) {
  std::uint64_t key[N];
  for (int i = 0; i < N; i++) {
    const Instance &x = s.instance[i];
    const u8 own[] = {x.life,        x.stage,      x.app,        x.dying,        x.claim,          x.claim_op,
                      x.since_sent,  x.since_known, x.counted,   x.cleared_beat, x.left,           x.lock_left,
                      x.release_op,  x.sweep_claim, x.beat.phase, x.beat.ticks,  x.beat.content,   x.beat.version,
                      x.beat.lost,   x.beat.after_look, s.view[0].version[i], s.view[0].content[i], u8(s.lock_holder == i + 1)};
    std::uint64_t h = 0;
    for (u8 byte : own) h = (h ^ byte) * 0x100000001b3ull;
    for (int n = 1; n <= CLAIMS; n++) h = (h ^ (s.view[0].claim[n] == i + 1)) * 0x100000001b3ull;
    unsigned sights = 0, seen = 0; // as sums, so that the order of the others doesn't matter
    for (int j = 0; j < N; j++) {
      if (j == i) continue;
      sights += (x.sight[j].version + 1) * (x.sight[j].ticks + 3);
      seen += (s.instance[j].sight[i].version + 1) * (s.instance[j].sight[i].ticks + 3);
    }
    h = (h ^ sights) * 0x100000001b3ull, h = (h ^ seen) * 0x100000001b3ull;
    // Who has a part of its own keeps its place.
    const bool apart = hunting() || (i == 0 && (opt.tv0 || opt.mode0 >= 0));
    key[i] = apart ? i : h >> 1 | std::uint64_t(1) << 63, order[i] = i;
  }
  std::stable_sort(order, order + N, [&](u8 a, u8 b) { return key[a] < key[b]; });
}

static void reorder(State &s, const u8 *order) {
  u8 place[N + 1] = {0}; // of owner + 1
  for (int i = 0; i < N; i++) place[order[i] + 1] = i + 1;
  const State was = s;
  auto volume = [&](Volume &to, const Volume &from) {
    for (int i = 0; i < N; i++) to.version[i] = from.version[order[i]], to.content[i] = from.content[order[i]];
    for (int n = 1; n <= CLAIMS; n++) to.claim[n] = place[from.claim[n]];
  };
  for (int k = 0; k <= A; k++) volume(s.view[k], was.view[k]);
  volume(s.snapshot, was.snapshot);
  s.lock_holder = place[was.lock_holder];
  for (int i = 0; i < N; i++) {
    Instance &x = s.instance[i];
    x = was.instance[order[i]];
    const Instance from = x;
    x.silent = 0;
    for (int j = 0; j < N; j++) {
      x.sight[j] = from.sight[order[j]];
      if (from.silent >> order[j] & 1) x.silent |= 1 << j;
    }
    x.sweep_beat = place[from.sweep_beat], x.reading = place[from.reading];
  }
}

/** The one state that stands for all like it; order: how its instances were sorted. */
static void canonical(State &s, u8 *order) {
  forget(s);
  renumber(s);
  sort_instances(s, order);
  reorder(s, order);
}

// ---- The search -------------------------------------------------------------------------------------------------

/** Open addressing over hashes, filled up to nine tenths. */
class Seen {
  std::vector<std::uint64_t> slots = std::vector<std::uint64_t>(1 << 20);

public:
  size_t count = 0;

  bool add(std::uint64_t hash) {
    if (count * 10 > slots.size() * 9) grow();
    size_t at = hash & (slots.size() - 1);
    while (slots[at] && slots[at] != hash) at = (at + 1) & (slots.size() - 1);
    if (slots[at]) return false;
    slots[at] = hash;
    count++;
    return true;
  }

private:
  void grow() {
    std::vector<std::uint64_t> old(slots.size() * 2);
    old.swap(slots);
    for (std::uint64_t hash : old) {
      if (!hash) continue;
      size_t at = hash & (slots.size() - 1);
      while (slots[at]) at = (at + 1) & (slots.size() - 1);
      slots[at] = hash;
    }
  }
};

static std::uint64_t hash_of(const State &s) {
  const u8 *bytes = reinterpret_cast<const u8 *>(&s);
  std::uint64_t hash = 0x9E3779B97F4A7C15ull;
  for (size_t at = 0; at < sizeof s; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min<size_t>(8, sizeof s - at));
    hash = (hash ^ word) * 0xD6E8FEB86659FD93ull;
    hash ^= hash >> 32;
  }
  hash *= 0xD6E8FEB86659FD93ull, hash ^= hash >> 29;
  return hash ? hash : 1;
}

/** A file that is written to its end and then read; the system removes it. Keeps the memory for the hashes. */
template <class T> struct Tape {
  std::FILE *file = std::tmpfile();
  Tape() {
    if (!file) std::perror("a temporary file for the search"), std::exit(70);
  }
  ~Tape() { std::fclose(file); }
  void put(const T &item) {
    if (std::fwrite(&item, sizeof item, 1, file) != 1) std::perror("write of a temporary file"), std::exit(70);
  }
  bool get(T &item) { return std::fread(&item, sizeof item, 1, file) == 1; }
  void rewind() { std::rewind(file); }
  void seek(size_t index) { std::fseek(file, long(index * sizeof(T)), SEEK_SET); }
};

/** How a state was reached: from which one, by which of its steps. */
struct __attribute__((packed)) Way {
  std::uint32_t from;
  std::uint16_t step;
};

static State start() {
  State s = {};
  for (Instance &x : s.instance) x = unborn();
  return s;
}

static void print_trace(Tape<Way> &ways, std::uint32_t last) {
  std::vector<std::uint16_t> steps;
  for (std::uint32_t at = last; at != 0;) {
    Way way;
    ways.seek(at);
    if (!ways.get(way)) std::perror("read of a temporary file"), std::exit(70);
    steps.push_back(way.step), at = way.from;
  }
  std::reverse(steps.begin(), steps.end());
  describing = true;
  State s = start();
  for (int i = 0; i < N; i++) name_of[i] = i;
  int number = 0;
  for (std::uint16_t step : steps) {
    all_steps(s);
    s = nexts[step].state;
    std::printf("  %2d  %s\n", ++number, nexts[step].what);
    u8 order[N], names_before[N];
    canonical(s, order);
    std::memcpy(names_before, name_of, N);
    for (int i = 0; i < N; i++) name_of[i] = names_before[order[i]];
  }
}

/** What must never be; notes the token of an app that has just been started. */
static const char *violation(const State &before, State &s) {
  int apps = 0;
  for (const Instance &x : s.instance) apps += x.app;
  if (apps > 1) return "two apps run";
  for (int i = 0; i < N; i++) {
    if (!s.instance[i].app || before.instance[i].app || !opt.tokens) continue;
    if (s.instance[i].claim <= s.started) return "a token that is not greater than an earlier one";
    s.started = s.instance[i].claim;
  }
  return nullptr;
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  Seen seen;
  Tape<Way> ways;
  auto current = std::make_unique<Tape<State>>();
  seen.add(hash_of(start()));
  current->put(start());
  ways.put({0, 0});
  std::uint64_t steps = 0, with_app = 0;
  std::uint32_t first = 0, next_first = 1;
  for (int depth = 1;; depth++) {
    auto next = std::make_unique<Tape<State>>();
    current->rewind();
    State s;
    std::uint32_t found = 0;
    for (std::uint32_t at = first; current->get(s); at++) {
      all_steps(s);
      steps += nexts.size();
      for (size_t k = 0; k < nexts.size(); k++) {
        State &t = nexts[k].state;
        const char *broken = violation(s, t);
        u8 order[N];
        canonical(t, order);
        if (!seen.add(hash_of(t)) && !broken) continue;
        ways.put({at, std::uint16_t(k)});
        next->put(t);
        found++;
        for (const Instance &x : t.instance) with_app += x.app;
        if (!broken) continue;
        std::printf("VIOLATION: %s (%zu states)\n", broken, seen.count);
        print_trace(ways, next_first + found - 1);
        return 1;
      }
      if (opt.limit && seen.count > size_t(opt.limit) * 1000000) {
        std::printf("limit: %zu states, %llu steps, depth %d, no violation so far\n", seen.count,
                    (unsigned long long)steps, depth);
        return 3;
      }
    }
    if (!found) {
      std::printf("none: %zu states, %llu steps, depth %d, an app runs in %llu\n", seen.count,
                  (unsigned long long)steps, depth - 1, (unsigned long long)with_app);
      return 0;
    }
    first = next_first, next_first += found;
    current = std::move(next);
    std::fprintf(stderr, "depth %d: %zu states, %u new\n", depth, seen.count, found);
  }
}
