/* Roles and launching: what was this process started as, and with what? */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct start self;

/* ---- small things that every role uses ---- */

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

int ms_until(uint64_t at_ns, uint64_t now) {
    if (at_ns == UINT64_MAX) return -1;
    if (at_ns <= now) return 0;
    uint64_t ms = (at_ns - now + NS_PER_MS - 1) / NS_PER_MS;
    return ms < 60000 ? (int)ms : 60000;
}

/* One line for people, or one JSON object (our texts hold nothing that JSON would have to escape, but for what the user
 * named: quotes, backslashes and control characters become ?). A full log pipe costs the line; the next says how many. */
void say(const char *format, ...) {
    static unsigned long dropped;
    char text[900], line[1100], lost[64] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool json = self.page && atomic_load(&self.page->json_log);
    for (unsigned char *c = (unsigned char *)text; *c; c++)
        if (*c < ' ' || (json && (*c == '"' || *c == '\\' || *c > '~'))) *c = '?';
    if (dropped) snprintf(lost, sizeof lost, " (%lu log lines dropped before this one)", dropped);
    int n = snprintf(line, sizeof line, json ? "{\"level\":\"warn\",\"name\":\"guard\",\"message\":\"%s%s\"}\n" : "leasehold: %s%s\n", text, lost);
    if (write(self.log_fd >= 0 ? self.log_fd : 2, line, (size_t)n) == n) dropped = 0;
    else dropped++;
}

/* The C libraries keep some real-time signals for themselves (musl 32 to 34, so that its sigfillset leaves out what others
 * call SIGRTMIN): the kernel is asked directly, or one of those would end the guard. */
static void set_mask(const sigset_t *mask, sigset_t *old) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old, 8); }

static sigset_t every_signal(void) {
    sigset_t all;
    memset(&all, 0xff, sizeof all);
    return all;
}

int signals_fd(void) {
    sigset_t all = every_signal();
    return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

int timer_fd(void) { return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK); }

void timer_at(int fd, uint64_t at_ns) {
    struct itimerspec t = {{0, 0}, {(time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S)}};
    if (at_ns == UINT64_MAX) t.it_value = (struct timespec){0, 0};
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* Best effort: to be on time on a loaded machine, and not to be paged out when memory is short. Real time where that is
 * allowed: among 500 forking processes nice -10 is 4 % of a core. The guard sleeps nearly always and works in bounded
 * rounds; what it forks is reset to normal. A policy that the user chose is left as it is. */
void raise_priority(void) {
    enum { RESET_ON_FORK = 1 };
    struct scheduling real_time = {.size = sizeof real_time, .policy = SCHED_RR, .flags = RESET_ON_FORK, .priority = 1};
    struct scheduling early = self.scheduling;
    if (syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER && early.nice >= 0 && syscall(SYS_sched_setattr, 0, &real_time, 0)) {
        /* This needs no privilege, and brings an earlier turn since Linux 6.12; older ones take it for nothing. */
        early.flags = RESET_ON_FORK, early.slice_ns = NS_PER_MS / 10;
        syscall(SYS_sched_setattr, 0, &early, 0);
        setpriority(PRIO_PROCESS, 0, -10);
    }
    /* What the deepest search needs of the stack: a page that is missing when memory is short has to be waited for. */
    volatile char stack[32768];
    for (size_t i = 0; i < sizeof stack; i += 4096) stack[i] = 0;
    syscall(SYS_mlockall, MCL_CURRENT | MCL_ONFAULT);
}

/* Who sleeps until a deadline and wakes to a crowd stands behind all of it. Under a CPU quota the crowd's places in the line
 * outlast the pause, so that a dozen busy processes are several periods. Hence the last moments are spent in the line: each
 * turn is given away until the time has come. One short slice given away is often not enough to be behind the next. */
int stand_in_line(void) {
    uint64_t since = now_ns();
    for (int i = 0; i < 32; i++)
        if (sched_yield() || now_ns() - since > NS_PER_MS) return 0; /* others had a turn */
    return 2; /* nobody else is here: this costs a processor a hundredth of its time */
}

void restore_start(void) {
    /* Real-time priority takes these away, and reset-on-fork doesn't bring them back. */
    syscall(SYS_sched_setattr, 0, &self.scheduling, 0);
    if (self.timer_slack_ns > 0) prctl(PR_SET_TIMERSLACK, self.timer_slack_ns, 0, 0, 0);
    sigaction(SIGCHLD, &self.chld, NULL);
    set_mask(&self.mask, NULL);
}

void close_from(int first) {
    if (syscall(SYS_close_range, first, ~0u, 0))
        for (int fd = first; fd < 65536; fd++) close(fd);
}

uint64_t number(const char *what, const char *text, uint64_t most) {
    char *end = NULL;
    errno = 0;
    unsigned long long v = text ? strtoull(text, &end, 10) : 0;
    if (!text || !*text || *text == '-' || *end || errno || v > most)
        die(EXIT_USAGE, "%s needs a whole number up to %llu, not '%s'", what, (unsigned long long)most, text ? text : "");
    return v;
}

bool ended_by(pid_t pid, uint64_t end_ns, int *status) {
    while (waitpid(pid, status, WNOHANG | __WALL) == 0) {
        if (now_ns() >= end_ns) return false;
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    return true;
}

void env_take(char **env, const char *name, size_t length) {
    char **to = env;
    for (char **from = env; *from; from++)
        if (strncmp(*from, name, length) || (*from)[length] != '=') *to++ = *from;
    *to = NULL;
}

void env_put(char **env, char *entry) {
    env_take(env, entry, strcspn(entry, "="));
    while (*env) env++;
    env[0] = entry, env[1] = NULL;
}

/* `pkill leasehold` and `pkill -f leasehold` must not reach the roles that finish outer's work, so they lose its name
 * and its command line. The arguments are gone afterwards. */
void rename_process(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
    char *end = self.argv[0];
    for (char **a = self.argv; *a; a++) end = *a + strlen(*a) + 1;
    memset(self.argv[0], 0, (size_t)(end - self.argv[0]));
    strncpy(self.argv[0], name, (size_t)(end - self.argv[0]) - 1);
}

/* ---- the start ---- */

static void look_at_capabilities(void) {
    enum { CAP_KILL = 5, CAP_SETUID = 7 }; /* linux/capability.h, which musl's own headers lack, as the rest here */
    struct { uint32_t version; int pid; } header = {0x20080522, 0};
    struct { uint32_t effective, permitted, inheritable; } data[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &header, data)) return;
    self.can_kill = data[0].effective >> CAP_KILL & 1;
    /* Root gains the bounding set back at every exec, so what is not effective now may be soon. */
    self.may_change_uid = (data[0].permitted | data[0].inheritable) >> CAP_SETUID & 1 ||
                          (geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1);
}

void remember_start(char **argv, char **env) {
    self.argv = argv, self.env = env, self.log_fd = -1;
    self.pid1 = getpid() == 1;
    syscall(SYS_sched_getattr, 0, &self.scheduling, sizeof self.scheduling, 0);
    self.timer_slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    /* A closed standard descriptor would become one of ours; the placeholder is closed again for the app. */
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) self.closed[fd] = open("/dev/null", O_RDWR) == fd;
    sigset_t all = every_signal();
    set_mask(&all, &self.mask);
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &standard, &self.chld); /* inherited as ignored, it would hide deaths from waitpid */
    look_at_capabilities();
}

/* Node and its bundle lie beside this program; the rest of the command line is theirs. */
static void find_payload(char **argv) {
    char dir[3072];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
    if (n < 0) die(EXIT_CONFIG, "/proc is not mounted (%s): mount it, the guard finds the app's processes there", strerror(errno));
    dir[n] = 0;
    *strrchr(dir, '/') = 0;
    snprintf(self.node, sizeof self.node, "%s/node", dir);
    snprintf(self.bundle, sizeof self.bundle, "%s/leasehold.cjs", dir);
    self.controller[0] = self.node, self.controller[1] = self.bundle;
    for (size_t i = 1; argv[0] && argv[i]; i++) self.controller[i + 1] = argv[i];
}

/* Every other subcommand is plain TypeScript: no app, no guard. NODE_OPTIONS and LD_PRELOAD are meant for the app. */
static void run_node(char **argv) {
    static char *env[16384];
    size_t n = 0;
    find_payload(argv);
    for (char **e = self.env; *e && n + 1 < sizeof env / sizeof *env; e++)
        if (strncmp(*e, "NODE_", 5) && strncmp(*e, "LD_", 3)) env[n++] = *e;
    restore_start();
    execve(self.node, self.controller, env);
    die(EXIT_DEFECT, "%s can't be executed (%s): the installation is not complete", self.node, strerror(errno));
}

int main(int argc, char **argv, char **env) {
    remember_start(argv, env);
    const char *role = argc > 1 ? argv[1] : "";
    if (argc > 16000) die(EXIT_USAGE, "more than 16,000 arguments");
    if (!strcmp(role, "probe")) return probe_main(argc, argv);
    if (!strcmp(role, "job")) return job_main(argc, argv);
    if (!strcmp(role, "guard")) return outer_main(argc, argv);
    bool command = false;
    for (int i = 2; i < argc; i++) command |= !strcmp(argv[i], "--");
    if (!strcmp(role, "run") && command) {
        find_payload(argv);
        return outer_main(argc, argv);
    }
    run_node(argv); /* also `run` without a command: there the usage is explained */
    return EXIT_DEFECT;
}
