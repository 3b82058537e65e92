/* The volume lease once more, by another hand and for another tool (Spin), so that a mistake in the explorer's rules would not
   be a mistake here: two instances, A = 0, one global clock, no sweeps. What each may do next is one `::` line.
   spin -a lease.pml && gcc -O2 -o pan pan.c && ./pan          -DNO_LOOK, -DNO_LISTING, -DSHORT_SILENCE plant defects. */
#ifndef TV
#define TV 3
#endif
#ifdef SHORT_SILENCE
#define QUIET (TV - 1)
#else
#define QUIET TV
#endif

mtype = { nothing, alive, released };                    /* what a beat file says */
mtype = { watching, sent, looking, cleared, running, over };   /* where an instance is in its life */
mtype = { none, writing, written, listed };              /* where its beat is */

mtype beat[2] = nothing;
bool unseen[2];          /* the other instance hasn't read this content of beat[i] yet */
byte quiet_for[2];       /* ticks for which the other has seen it unchanged */
byte claim[3];           /* claim[n]: 1 + the instance that n.claim names; 0: there is none */

mtype stage[2] = watching;
mtype phase[2] = none;
byte number[2];          /* its claim's number */
bool landed[2];          /* and whether that is made */
byte since_sent[2];      /* ticks since it was begun to be sent: the first chain deadline */
byte beat_age[2];        /* ticks since the beat under way was begun */
bool after_look[2];      /* it was begun after the look */
bool last_beat[2];       /* such a one has counted */
bool counted[2];
byte left[2];            /* ticks until V */
bool app[2];

#define CHAIN(i) ((counted[i] && left[i] > 0) || (!counted[i] && since_sent[i] < TV))
#define HIGHER(i) (number[i] == 1 && claim[2] != 0 && !(beat[1 - i] == released && stage[i] == running))
#define WRITE(i, content) beat[i] = content; unseen[i] = true; quiet_for[i] = 0

proctype Contender(byte i) {
  bool release = false;  /* `released` is on its way */
  do
  /* R5.2, R5.3: the highest claim + 1; it is made at once or found to exist, also after its sender's end. */
  :: d_step { stage[i] == watching && !claim[1] -> number[i] = 1; stage[i] = sent }
  :: d_step { stage[i] == watching && claim[1] && !claim[2] -> number[i] = 2; stage[i] = sent }
  :: d_step { number[i] && !landed[i] && !claim[number[i]] ->
       claim[number[i]] = i + 1; landed[i] = true;
       if :: stage[i] == sent -> stage[i] = looking;
             /* R4: what is missing counts from here. */
             if :: beat[1 - i] == nothing -> unseen[1 - i] = true :: else fi
          :: else fi }
  :: d_step { stage[i] == sent && !landed[i] && claim[number[i]] -> landed[i] = true; stage[i] = over }

  /* R3: write, list, count. */
  :: d_step { (stage[i] == looking || stage[i] == cleared || stage[i] == running) && phase[i] == none && CHAIN(i) ->
       phase[i] = writing; beat_age[i] = 0; after_look[i] = (stage[i] == cleared) }
  :: d_step { phase[i] == writing -> WRITE(i, alive);
       if :: stage[i] == over -> phase[i] = none :: else -> phase[i] = written fi }
#ifdef NO_LISTING
  :: d_step { phase[i] == written -> phase[i] = listed }
#else
  :: d_step { phase[i] == written && !HIGHER(i) && claim[number[i]] == i + 1 -> phase[i] = listed }
  :: d_step { phase[i] == written && HIGHER(i) -> phase[i] = none }
#endif
  :: d_step { phase[i] == listed && CHAIN(i) && beat_age[i] < TV ->
       left[i] = TV - beat_age[i]; counted[i] = true; last_beat[i] = last_beat[i] || after_look[i]; phase[i] = none }
  :: d_step { phase[i] == listed && !(CHAIN(i) && beat_age[i] < TV) -> phase[i] = none }

  /* R4, R5.4: a read of the other's beat. */
  :: d_step { (stage[i] == watching || stage[i] == looking) && unseen[1 - i] ->
       unseen[1 - i] = false; quiet_for[1 - i] = 0 }
#ifdef NO_LOOK
  :: d_step { stage[i] == looking -> stage[i] = cleared }
#else
  :: d_step { stage[i] == looking && (beat[1 - i] == released
         || (beat[1 - i] == nothing && claim[1] != 2 - i && claim[2] != 2 - i)
         || (!unseen[1 - i] && quiet_for[1 - i] >= QUIET)) -> stage[i] = cleared }
#endif

  /* R5.5: the start. */
  :: atomic { stage[i] == cleared && last_beat[i] && left[i] > 0 ->
       app[i] = true; stage[i] = running; assert(!app[1 - i]) }

  /* An end of any kind; the guard's kill; `released` by whoever has seen the app dead. */
  :: d_step { stage[i] != watching && stage[i] != over ->
       stage[i] = over; release = true; if :: phase[i] != writing -> phase[i] = none :: else fi }
  :: d_step { stage[i] == over && app[i] -> app[i] = false }
  :: d_step { stage[i] == over && !app[i] && release -> WRITE(i, released); release = false }

  /* The operator removes a beat. */
#ifdef REMOVALS
  :: d_step { beat[i] != nothing && phase[i] != writing -> WRITE(i, nothing);
       if :: phase[i] != none -> phase[i] = none :: else fi }
#endif
  od
}

active proctype Clock() {
  byte i;
  do
  :: d_step {
       i = 0;
       do
       :: i < 2 ->
          if :: left[i] > 0 -> left[i]--; if :: left[i] == 0 -> app[i] = false; if :: stage[i] == running -> stage[i] = over :: else fi :: else fi :: else fi;
          if :: beat_age[i] < TV && phase[i] != none -> beat_age[i]++ :: else fi;
          if :: since_sent[i] < TV && stage[i] != watching && !counted[i] -> since_sent[i]++ :: else fi;
          if :: quiet_for[i] < TV && !unseen[i] -> quiet_for[i]++ :: else fi;
          i++
       :: else -> break
       od;
       i = 0 }
  od
}

init { run Contender(0); run Contender(1) }
