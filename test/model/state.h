// What the model of the volume lease consists of. Time is a number of ticks; the number of instances and of ticks that a
// view of the volume may be old (A) are fixed when it is compiled, so that a state is small.
#pragma once
#include <cstdint>

#ifndef INSTANCES
#define INSTANCES 2
#endif
#ifndef VIEW_AGE
#define VIEW_AGE 0
#endif

using u8 = std::uint8_t;

constexpr int N = INSTANCES;
constexpr int A = VIEW_AGE;
constexpr int CLAIMS = INSTANCES; // an instance claims once in its life

enum Life : u8 { ALIVE, OVER }; // over: crashed, stopped, withdrawn or expired. Its guard may still have to kill the app.
enum Stage : u8 { WATCHING, CLAIM_SENT, LOOKING, CLEARED, RUNNING };
enum Phase : u8 { NO_BEAT, WRITING, HALF_WRITTEN, WRITTEN, LISTED };
enum Content : u8 { NOTHING, CLAIMING, SHOWS_LIFE, RELEASED, TORN };
enum Op : u8 { NONE, IN_FLIGHT, HALF_DONE, DONE };

// Versions stand for the content of a beat file: 0 no file, OTHER anything that nobody can read any more.
constexpr u8 OTHER = 255;

/** What one instance last saw of another one's beat, and for how many ticks. */
struct Sight {
  u8 version, ticks;
};

/** A beat on its way: when it was begun, what it will have written. */
struct Beating {
  u8 phase, ticks, content, version, after_look, lost;
};

struct Instance {
  u8 life, stage;
  u8 app;          // it runs
  u8 dying;        // the guard's deadline is past: 1 + ticks since then
  u8 claim;        // n, 0 before
  u8 claim_op;     // create of n.claim
  u8 since_sent;   // ticks since the claim was begun to be sent: the first chain deadline
  u8 since_known;  // ticks since it was acknowledged: the look's wait
  u8 counted;      // a beat has counted
  u8 cleared_beat; // one that was begun after the look has counted
  u8 left;         // ticks until V
  u8 lock_left;    // ticks until L
  u8 silent;       // bit j: the look found j silent
  u8 release_op;   // the write of `released`
  u8 sweep_claim, sweep_beat; // unlink on its way: claim number, instance + 1
  u8 reading, read_version, read_content, read_old; // a read that is not over: instance + 1
  Beating beat;
  Sight sight[N];
};

/** What lies in .leasehold/: one beat for each instance, and claims by number, holding owner + 1. */
struct Volume {
  u8 version[N], content[N];
  u8 claim[CLAIMS + 1];
};

struct State {
  Instance instance[N];
  Volume view[A + 1]; // 0: as it is; k: as it was at the end of the k-th tick before
  Volume snapshot;
  u8 snapshot_state; // 0 none yet, 1 taken, 2 rolled back
  u8 lock_holder, lock_left;
  u8 beats_removed, claims_removed; // by the operator
  u8 ticks;                         // so far, where they are limited
  u8 started;                       // highest token that an app was started with
};

inline u8 newest_claim(const Volume &volume) {
  for (u8 n = CLAIMS; n > 0; n--)
    if (volume.claim[n]) return n;
  return 0;
}

inline bool has_claim(const Volume &volume, int owner) {
  for (int n = 1; n <= CLAIMS; n++)
    if (volume.claim[n] == owner + 1) return true;
  return false;
}
