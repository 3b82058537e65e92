/* leasehold's hand: starts the app, kills its whole tree when its deadline passes, and needs nobody alive for that.
 *
 * Not promised: to kill what the kernel can't (D state: reported as undead); to run while the whole machine or container
 * is frozen (it kills at the thaw); to survive a SIGKILL of outer and inner at one instant outside a PID namespace; to
 * follow work that the app hands to a process outside its tree (systemd-run, a container engine, cron).
 *
 * Read in this order: guard.h, main.c (roles, launching), frame.c (what the controller may say), tenure.c (whether a
 * deadline may move), outer.c, keeper.c (inner and job), tree.c (the killing), release.c, probe.c.
 * Nothing allocates memory after the start. All times are nanoseconds of CLOCK_BOOTTIME. */
#ifndef LEASEHOLD_GUARD_H
#define LEASEHOLD_GUARD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

enum { /* exit codes of leasehold's own (design: Operations) */
    EXIT_USAGE = 64, EXIT_DEFECT = 70, EXIT_CONFIG = 78, EXIT_UNDEAD = 86, EXIT_JOB_KILLED = 124,
    EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127
};

enum { /* how long things take at most, in ms; each is explained where it is used */
    TAKEOVER_MS = 100, SWEEP_MAX_MS = 50, UNDEAD_FIRST_MS = 1000, UNDEAD_AGAIN_MS = 5000, TAKEN_MS = 1000,
    SILENT_MS = 5000, STRAY_MS = 250, LAST_WORDS_MS = 200, CONTROLLER_EXIT_MS = 500, JOB_LOOK_MS = 50, IN_LINE_MS = 500
};

/* So many events of one kind are handled before the deadline is looked at again: a flood of signals or of dying orphans
 * must not keep the guard from its clock. */
enum { ROUND = 128 };

/* ---- frame.c: the frames of frames.md -------------------------------------------------------------------------- */

enum { FRAME_VERSION = 1, FRAME_HEADER = 24, FRAME_MAX = 65536, CAP_MAX_MS = 86400000 };
enum { MAX_UNSET = 512, MAX_SET = 512, MAX_ARGV = 4096, MAX_PATHS = 16, MAX_PATH_BYTES = 2048 };

enum { /* from the controller */
    F_HELLO = 1, F_DEADLINE, F_START, F_SIGNAL, F_TAKEN, F_KILL, F_RELEASE, F_EXIT, F_LAST_ORDER = F_EXIT
};
enum { /* from the guard */
    F_WELCOME = 64, F_ACK, F_STARTED, F_EXITED, F_KILLING, F_EMPTY, F_UNDEAD, F_SIGNALLED, F_MOUNTS, F_ORPHANED
};
enum { S_DONE, S_PAST, S_BEYOND, S_LATE, S_NOT_EMPTY, S_NO_TENURE, S_NO_APP };
enum { HOW_EXIT, HOW_SIGNAL, HOW_NO_EXEC, HOW_NO_FORK };
enum { WHY_DEADLINE = 1, WHY_ORDER, WHY_MAIN_ENDED, WHY_OUTER_DIED, WHY_INNER_DIED, WHY_CONTROLLER_DIED };
enum { SCOPE_MAIN, SCOPE_GROUP };
enum { WELCOME_PID1 = 1, WELCOME_CAN_KILL = 2, WELCOME_TTY = 4, WELCOME_NO_NEW_PRIVS = 8 };

struct strings { const char *at; size_t bytes; uint32_t count; }; /* each ends with its NUL */

struct order { /* a frame of the controller, its payload checked */
    uint8_t type;
    uint32_t sequence;
    union {
        struct hello { uint32_t cap_ms, grace_ms, stop_signal, scope, flags; } hello;
        struct { uint64_t tenure, deadline_ns; } deadline;
        struct { uint64_t tenure; struct strings unset, set, argv; } start;
        struct { uint32_t signal, scope, flags; } signal;
        struct { uint32_t signal; } taken;
        struct { uint64_t tenure; uint32_t close; } kill;
        struct { uint64_t offset; uint32_t drain_ms, release_ms; struct strings paths; } release;
        struct { uint32_t code; } exit;
    } u;
};

/* The first order in buf: its length in bytes; 0 when it is not whole yet; -1 for garbage, *why says which. */
long order_parse(const uint8_t *buf, size_t have, uint32_t sequence, struct order *o, const char **why);
/* Puts a frame with this payload at out (FRAME_HEADER + length bytes) and returns its length. */
size_t frame_write(uint8_t *out, uint8_t type, uint32_t sequence, uint64_t sent_at_ns, const void *payload, uint32_t length);
uint32_t crc32_of(uint32_t crc, const uint8_t *p, size_t n);
uint32_t get_u32(const uint8_t *p);
void put_u32(uint8_t *p, uint32_t v);
void put_u64(uint8_t *p, uint64_t v);

/* ---- tenure.c: the page that outer, inner and the jobs share --------------------------------------------------- */

enum { PAGE_BYTES = 8192 }; /* of the memfd; the original environment follows */

struct page {
    uint64_t magic;
    _Atomic uint64_t tenure;      /* the last one opened */
    _Atomic uint64_t deadline_ns; /* of that tenure; 0: it is over and nothing may run */
    _Atomic uint64_t beat_ns;     /* when who kills last looked: shows outer that inner is at it */
    _Atomic uint32_t killing;     /* why the kill began; 0: it has not */
    _Atomic uint32_t main_pid, main_ended, main_how, main_value;
    _Atomic uint32_t reaped;
    _Atomic uint32_t sequence;    /* of the frames to the controller: inner goes on counting when outer is dead */
    _Atomic uint32_t json_log;
    uint32_t no_new_privs, env_bytes;
    struct { uint32_t set, drain_ms, release_ms, n_paths; uint64_t offset; char paths[MAX_PATH_BYTES]; } release;
};
#define PAGE_MAGIC 0x314547415048464cull

/* Opens or moves: S_DONE, S_PAST, S_BEYOND, S_LATE or S_NOT_EMPTY. occupied: something of the app is left. */
uint32_t tenure_deadline(struct page *p, uint64_t tenure, uint64_t deadline_ns, uint64_t now, uint64_t cap_ns, bool occupied);
/* Whether this tenure has no time left. Ends it for good when its deadline has passed. */
bool tenure_over(struct page *p, uint64_t tenure, uint64_t now);
void tenure_close(struct page *p);
/* Moves the deadline nearer, never further away. */
void tenure_at_most(struct page *p, uint64_t deadline_ns);

/* ---- tree.c: the killing ------------------------------------------------------------------------------------------ */

enum {
    MAX_OWN = 3,
    DEEPEST = 16,    /* generations below a child that one look follows */
    DEEP_MOST = 512, /* processes that one look looks into: it must not keep us from the next */
    DEEP_EVERY = 4,  /* sweeps */
};

struct tree {
    int children_fd, proc_fd;  /* children_fd -1: the kernel has no such file; children are looked for in all of /proc */
    const pid_t *own[MAX_OWN]; /* where it is said which children this process started itself and spares */
    uint32_t left, denied;     /* seen by the last sweep; not killable for want of permission */
    pid_t sample;              /* one of those left, a denied one first */
    uint64_t began_ns, next_ns, report_ns;
    uint32_t pause_ms, looks;
    int budget;
};

/* False with errno: this /proc can't be used to find descendants. EXDEV: it is another PID namespace's. */
bool tree_open(struct tree *t);
/* One look: SIGKILL to every child but its own, and with deep to every descendant that is found below one. */
void tree_sweep(struct tree *t, bool deep);
/* Kills what is found below one child, not reaped yet, or below each (0); they themselves stay. */
void tree_kill_below(struct tree *t, pid_t child);
/* Signals every child but its own, no deeper. */
void tree_signal_children(struct tree *t, int sig);
/* Begins or goes on killing when it is time; main > 0 is a child not reaped yet that leads a process group.
 * True: a report of what is left is due (kill has lasted UNDEAD_FIRST_MS, then each UNDEAD_AGAIN_MS, or is denied). */
bool tree_kill(struct tree *t, pid_t main, uint64_t now);
/* What an undead frame says: how many are left, one of them, its state letter ('?': gone, 'P': permission is missing), since. */
void tree_report(const struct tree *t, uint64_t now, uint32_t report[4]);

/* ---- keeper.c: who has the app as its child --------------------------------------------------------------------- */

struct app { /* what to run and how it finds the world; pointers into the start-up memory or the start frame */
    char *const *argv;
    char **env;
    int tty;               /* descriptor of the terminal to be foreground on; -1: none */
    bool no_new_privs;
};

/* outer → inner: a signal for the app; 0: only to look at the page */
struct tell { uint32_t signal, scope, stop; };
/* inner → outer: the payload of a frame */
struct said { uint32_t type, length; uint8_t payload[32]; };

void inner_run(struct page *page, uint64_t tenure, const struct app *app, int to_outer, int to_controller) __attribute__((noreturn));
int job_main(int argc, char **argv);

/* ---- release.c ------------------------------------------------------------------------------------------------------ */

/* Drains and runs the release program, as registered. Only when every descendant is dead. */
void release_run(struct page *page);

/* ---- main.c --------------------------------------------------------------------------------------------------------- */

struct start { /* how this process was started: read-only afterwards */
    char **argv, **env;
    char *const *app_argv;
    sigset_t mask;
    struct sigaction chld;
    int timer_slack_ns;
    struct scheduling { /* the kernel's sched_attr */
        uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t slice_ns, deadline_ns, period_ns;
    } scheduling;
    bool closed[3];        /* standard descriptors that were closed: the app gets them closed again */
    bool pid1, can_kill, may_change_uid;
    char node[4096], bundle[4096];
    char *controller[16384], *releaser[4], *controller_env[1024];
    int log_fd, page_fd, release_fd;
    struct page *page;
};
extern struct start self;

uint64_t now_ns(void);
int ms_until(uint64_t at_ns, uint64_t now); /* rounded up, for poll; -1 for UINT64_MAX */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));            /* a log line; never blocks */
/* Only as long as nothing runs: standard error may block. */
#define die(code, ...) (self.log_fd = -1, say(__VA_ARGS__), _exit(code))
void remember_start(char **argv, char **env);
void rename_process(const char *name);
int signals_fd(void);
int timer_fd(void);
void timer_at(int fd, uint64_t at_ns); /* UINT64_MAX: never */
void raise_priority(void);
/* Waits for a turn on the processor, if anybody else wants it; returns how long to sleep before the next time, for poll. */
int stand_in_line(void);
/* In a child: gives back signal mask, dispositions and priority, as they were when leasehold was started. */
void restore_start(void);
/* Takes NAME out of an environment; puts NAME=value in, in place of an old one. There must be room. */
void env_take(char **env, const char *name, size_t length);
void env_put(char **env, char *entry);
/* In a child: closes all descriptors from first on. */
void close_from(int first);
/* What an argument says; ends the program when that is no number up to `most`. */
uint64_t number(const char *what, const char *text, uint64_t most);
/* Waits for a child until an instant; false: it has not ended. */
bool ended_by(pid_t pid, uint64_t end_ns, int *status);
int outer_main(int argc, char **argv);
int probe_main(int argc, char **argv);
int probe_request(bool answer);

#endif
