/* Who has the app as its child. Inner keeps the app for outer, a job guard keeps one command for the controller: start it,
 * watch its deadline, kill its tree when it is over, and stay until waitpid says that no descendant is left.
 * Long because both are the same loop over the same state; apart they would drift. */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct keeper {
    bool job, orphan, linger;
    bool near;                /* the deadline is: in the line for a processor until then */
    bool more;                /* a round ended at its bound: there is more to do without waiting */
    struct tree tree;
    struct page *page;        /* a job maps it read-only; NULL: a job without one */
    uint64_t tenure, job_deadline_ns;
    pid_t parent, main;       /* main: 0 once reaped */
    uint32_t why, reaped, how, value;
    int peer;                 /* inner: the socket to outer; job: the report socket. Its end is the parent's end */
    int controller;           /* inner: the frames socket, for when outer is dead */
    int exec_fd, signals, timer;
    uint32_t sequence, grace_ms;
} k;

/* ---- telling ---- */

static void tell(uint8_t type, const void *payload, uint32_t length) {
    if (!k.job && !k.orphan) {
        struct said said = {type, length, {0}};
        memcpy(said.payload, payload, length);
        send(k.peer, &said, sizeof said, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    uint8_t frame[FRAME_HEADER + 32];
    uint32_t sequence = k.job ? ++k.sequence : atomic_fetch_add(&k.page->sequence, 1) + 1;
    size_t n = frame_write(frame, type, sequence, now_ns(), payload, length);
    send(k.job ? k.peer : k.controller, frame, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void tell_tenure(uint8_t type, int n, const uint32_t *values) {
    uint8_t payload[32];
    put_u64(payload, k.tenure);
    for (int i = 0; i < n; i++) put_u32(payload + 8 + 4 * i, values[i]);
    tell(type, payload, 8 + 4 * (uint32_t)n);
}

static void tell_undead(void) {
    uint32_t report[4];
    tree_report(&k.tree, now_ns(), report);
    tell_tenure(F_UNDEAD, 4, report);
    if (k.orphan) say("%u processes can't be killed since %u ms; the lock is kept", report[0], report[3]);
}

static void begin_kill(uint32_t why) {
    if (k.why) return;
    k.why = why;
    if (!k.job) {
        uint32_t none = 0;
        if (!atomic_compare_exchange_strong(&k.page->killing, &none, why)) k.why = none; /* outer's order came first */
    }
    if (k.why) tree_kill(&k.tree, k.main, now_ns()); /* first the deed: who hears of it competes for the processor */
    tell_tenure(F_KILLING, 1, &k.why);
}

/* ---- the deadline ---- */

/* The tenure as a job sees it: read-only. */
static bool tenure_ended(uint64_t now, uint64_t *at) {
    uint64_t deadline_ns = atomic_load(&k.page->deadline_ns);
    *at = deadline_ns;
    return deadline_ns == 0 || now >= deadline_ns || atomic_load(&k.page->tenure) != k.tenure;
}

/* Why nothing may live any more; 0: it may, until *at. */
static uint32_t due(uint64_t now, uint64_t *at) {
    if (!k.job) {
        uint32_t ordered = atomic_load(&k.page->killing);
        if (ordered) return ordered;
        if (tenure_over(k.page, k.tenure, now)) return WHY_DEADLINE;
        *at = atomic_load(&k.page->deadline_ns);
        if (*at == 0) *at = now; /* outer closed it this very moment */
        return 0;
    }
    *at = UINT64_MAX;
    if (k.page && k.tenure && tenure_ended(now, at)) return WHY_DEADLINE;
    if (now >= k.job_deadline_ns) return k.linger ? WHY_ORDER : WHY_DEADLINE;
    if (k.job_deadline_ns < *at) *at = k.job_deadline_ns;
    return 0;
}

/* Begins the kill when it is time, else sets the timer to when to look again. */
static void look_at_deadline(void) {
    uint64_t now = now_ns(), at;
    if (k.why) return;
    uint32_t why = due(now, &at);
    if (why) return begin_kill(why);
    k.near = at <= now + IN_LINE_MS * NS_PER_MS;
    if (!k.near) at -= IN_LINE_MS * NS_PER_MS;
    if (k.job && k.page && k.tenure && at > now + JOB_LOOK_MS * NS_PER_MS) at = now + JOB_LOOK_MS * NS_PER_MS;
    timer_at(k.timer, at);
}

/* ---- starting ---- */

/* Like execvp, but a script without interpreter line is an error, as for every other starter of containers. */
static int exec_search(char *const *argv, char **env) {
    const char *file = argv[0], *path = "/usr/local/bin:/usr/bin:/bin";
    if (strchr(file, '/') || !*file) {
        execve(file, argv, env);
        return errno;
    }
    for (char **e = env; *e; e++)
        if (!strncmp(*e, "PATH=", 5)) path = *e + 5;
    int error = ENOENT;
    while (path) {
        char full[4096];
        const char *end = strchrnul(path, ':');
        int n = snprintf(full, sizeof full, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "", file);
        if (n < (int)sizeof full) execve(full, argv, env);
        if (errno == EACCES) error = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR) return errno;
        path = *end ? end + 1 : NULL;
    }
    return error;
}

static void become(const struct app *app, pid_t parent, int report_fd) {
    setpgid(0, 0);
    if (app->tty >= 0) tcsetpgrp(app->tty, getpid()); /* SIGTTOU is blocked here */
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* one more net for its first process; its descendants don't inherit it */
    if (getppid() != parent) _exit(EXIT_DEFECT);
    if (app->no_new_privs) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    restore_start();
    for (int i = 0; i < 3; i++)
        if (self.closed[i]) close(i);
    uint64_t until; /* this process may have waited long for its turn */
    int error = due(now_ns(), &until) ? ECANCELED : exec_search(app->argv, app->env);
    if (write(report_fd, &error, sizeof error) < 0) _exit(EXIT_DEFECT);
    _exit(EXIT_NOT_FOUND);
}

static void start_main(const struct app *app) {
    int fds[2] = {-1, -1};
    pid_t parent = getpid();
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) k.how = HOW_NO_FORK, k.value = (uint32_t)errno;
    else if ((k.main = fork()) == 0) become(app, parent, fds[1]);
    else if (k.main < 0) k.how = HOW_NO_FORK, k.value = (uint32_t)errno, k.main = 0;
    else setpgid(k.main, k.main); /* both do it: whoever comes first, a group kill finds the group */
    if (fds[1] >= 0) close(fds[1]);
    k.exec_fd = fds[0];
    if (!k.job) atomic_store(&k.page->main_pid, (uint32_t)k.main);
}

/* The pipe closes at a successful exec; an errno in it says why there was none. */
static void look_exec(void) {
    int error;
    if (k.exec_fd < 0) return;
    ssize_t n = read(k.exec_fd, &error, sizeof error);
    if (n < 0 && errno == EAGAIN) return;
    if (n == sizeof error) k.how = HOW_NO_EXEC, k.value = (uint32_t)error;
    else tell_tenure(F_STARTED, 1, &(uint32_t){(uint32_t)k.main});
    close(k.exec_fd);
    k.exec_fd = -1;
}

/* ---- reaping ---- */

static void main_ended(const siginfo_t *si) {
    look_at_deadline(); /* outer may have killed it: why comes before how */
    look_exec();
    if (k.exec_fd >= 0) close(k.exec_fd), k.exec_fd = -1; /* killed before its exec */
    if (k.how != HOW_NO_EXEC) {
        k.how = si->si_code == CLD_EXITED ? HOW_EXIT : HOW_SIGNAL;
        k.value = (uint32_t)si->si_status;
    }
    if (!k.linger || k.why) kill(-k.main, SIGKILL); /* not reaped yet: the group's number is still its own */
    k.main = 0;
    if (!k.job) {
        atomic_store(&k.page->main_how, k.how);
        atomic_store(&k.page->main_value, k.value);
        atomic_store(&k.page->main_ended, 1);
    }
    tell_tenure(F_EXITED, 2, (uint32_t[]){k.how, k.value});
}

/* True when no descendant is left: ECHILD is the only proof. */
static bool reap(void) {
    uint32_t before = k.reaped;
    k.more = true;
    for (int i = 0; i < ROUND; i++) {
        siginfo_t si = {0};
        if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) && errno == ECHILD) return true;
        if (si.si_pid == 0) {
            k.more = false;
            break;
        }
        if (si.si_pid == k.main) main_ended(&si);
        waitpid(si.si_pid, NULL, WNOHANG | __WALL);
        k.reaped++;
        if (!k.job) atomic_store(&k.page->reaped, k.reaped);
    }
    if (!k.main && !k.linger) begin_kill(WHY_MAIN_ENDED); /* what its main process left behind ends with it */
    if (k.why && k.reaped != before) tree_sweep(&k.tree, false); /* the dead one's children are ours now */
    return false;
}

/* ---- the loop ---- */

static void signal_app(int sig, uint32_t scope) {
    if (k.main) kill(scope == SCOPE_GROUP ? -k.main : k.main, sig);
    else if (scope == SCOPE_GROUP) tree_signal_children(&k.tree, sig);
}

static void parent_gone(void) {
    if (k.job) return begin_kill(WHY_CONTROLLER_DIED);
    if (k.orphan) return;
    k.orphan = true;
    tell(F_ORPHANED, "", 0);
    begin_kill(WHY_OUTER_DIED);
    tenure_close(k.page); /* the jobs beside the app end with it: nobody else is left to tell them */
}

static void hear_peer(void) {
    struct tell t; /* a job expects nothing: there the end is what counts */
    ssize_t n = 1;
    for (int i = 0; i < ROUND && (n = recv(k.peer, &t, sizeof t, MSG_DONTWAIT)) > 0; i++)
        if (!k.job && t.signal) {
            signal_app((int)t.signal, t.scope);
            if (t.stop && t.scope == SCOPE_GROUP) k.linger = true;
        }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) parent_gone();
}

static void hear_signals(void) {
    struct signalfd_siginfo s;
    for (int i = 0; i < ROUND && read(k.signals, &s, sizeof s) == sizeof s; i++) {
        if (getppid() != k.parent) parent_gone();
        if (!k.job || (s.ssi_signo != SIGTERM && s.ssi_signo != SIGINT)) continue;
        if (k.linger) begin_kill(WHY_ORDER); /* the second time */
        k.linger = true;
        signal_app((int)s.ssi_signo, SCOPE_GROUP);
        uint64_t end = now_ns() + k.grace_ms * NS_PER_MS;
        if (end < k.job_deadline_ns) k.job_deadline_ns = end;
    }
}

/* Until nobody is left; that is at once when the app could not be forked. */
static void keep(void) {
    if (!k.main) tell_tenure(F_EXITED, 2, (uint32_t[]){k.how, k.value});
    while (!reap()) {
        look_at_deadline();
        if (k.why) {
            uint64_t now = now_ns();
            if (!k.job) atomic_store(&k.page->beat_ns, now);
            if (tree_kill(&k.tree, k.main, now)) tell_undead();
        }
        struct pollfd fds[] = {{k.signals, POLLIN, 0}, {k.timer, POLLIN, 0}, {k.peer, POLLIN, 0}, {k.exec_fd, POLLIN, 0}};
        bool deaf = k.orphan || (k.job && k.why == WHY_CONTROLLER_DIED);
        if (deaf) fds[2].fd = -1; /* its end is always readable */
        if (k.exec_fd < 0) fds[3].fd = -1;
        poll(fds, 4, k.more ? 0 : k.why ? ms_until(k.tree.next_ns, now_ns()) : k.near ? stand_in_line() : -1);
        uint64_t expirations;
        if (fds[1].revents && read(k.timer, &expirations, sizeof expirations) < 0) continue;
        if (fds[0].revents) hear_signals();
        if (fds[2].revents) hear_peer();
        if (fds[3].revents) look_exec();
    }
    tell_tenure(F_EMPTY, 1, &k.reaped);
}

static void set_up(int peer) {
    k.parent = getppid();
    k.peer = peer, k.exec_fd = -1, k.how = HOW_EXIT;
    k.signals = signals_fd(), k.timer = timer_fd();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGHUP);
}

void inner_run(struct page *page, uint64_t tenure, const struct app *app, int to_outer, int to_controller) {
    k.page = page, k.tenure = tenure, k.controller = to_controller;
    set_up(to_outer);
    raise_priority(); /* before there is an app that could starve it */
    if (!tree_open(&k.tree) || k.signals < 0 || k.timer < 0) k.how = HOW_NO_FORK, k.value = (uint32_t)errno;
    else start_main(app);
    rename_process("lh-inner");
    setsid(); /* after the fork: the app stays in the session of its terminal, inner leaves it */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3 && null >= 0; i++) dup2(null, i); /* who reads the app's output sees its end */
    keep();
    if (k.orphan) {
        /* Killed at the same instant it may take a moment longer to end than the app did. */
        struct pollfd gone = {k.controller, POLLRDHUP, 0};
        poll(&gone, 1, CONTROLLER_EXIT_MS);
        if (gone.revents & (POLLHUP | POLLRDHUP | POLLERR)) release_run(page); /* else the controller does it */
    }
    _exit(0);
}

/* ---- the job's command line ---- */

static void open_page(void) {
    struct stat st;
    if (k.page) return;
    if (fstat(4, &st) || st.st_size < PAGE_BYTES)
        die(EXIT_USAGE, "descriptor 4 is not the guard's page: --tenure and --app-env work in the jobs of a controller only");
    k.page = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, 4, 0);
    if (k.page == MAP_FAILED || k.page->magic != PAGE_MAGIC || k.page->env_bytes > (size_t)st.st_size - PAGE_BYTES)
        die(EXIT_USAGE, "descriptor 4 is not the guard's page");
    fcntl(4, F_SETFD, FD_CLOEXEC);
    /* Locked until this job guard, the last of its tree, has ended: who releases waits for it. */
    int page = open("/proc/self/fd/4", O_RDONLY | O_CLOEXEC);
    if (page < 0 || flock(page, LOCK_SH | LOCK_NB)) die(EXIT_JOB_KILLED, "job: leasehold is ending, or /proc can't be used");
}

/* A copy with room for more, of this process's environment or of the app's original one. */
static char **environment(bool original, size_t more) {
    size_t n = 0, room = more;
    for (char **e = self.env; *e; e++) room++;
    if (original) open_page(), room += k.page->env_bytes;
    char **env = calloc(room, sizeof *env);
    if (!env) die(EXIT_DEFECT, "no memory for the environment");
    if (!original) for (; self.env[n]; n++) env[n] = self.env[n];
    else for (char *at = (char *)k.page + PAGE_BYTES, *end = at + k.page->env_bytes; at < end; at += strlen(at) + 1) env[n++] = at;
    return env;
}

int job_main(int argc, char **argv) {
    static struct app app = {.tty = -1};
    bool deadline = false, original = false;
    int at = 2;
    for (int i = 2; i < argc && strcmp(argv[i], "--"); i++) original |= !strcmp(argv[i], "--app-env");
    app.env = environment(original, (size_t)argc);
    k.job = true, k.grace_ms = 2000;
    for (; at < argc && strcmp(argv[at], "--"); at++) {
        if (!strcmp(argv[at], "--app-env")) continue;
        char *option = argv[at], *value = argv[++at];
        if (!strcmp(option, "--deadline")) k.job_deadline_ns = number(option, value, UINT64_MAX), deadline = true;
        else if (!strcmp(option, "--tenure")) k.tenure = number(option, value, UINT64_MAX), open_page();
        else if (!strcmp(option, "--grace")) k.grace_ms = (uint32_t)number(option, value, UINT32_MAX);
        else if (!strcmp(option, "--unset") && value) env_take(app.env, value, strlen(value));
        else if (!strcmp(option, "--set") && value && strchr(value, '=') > value) env_put(app.env, value);
        else die(EXIT_USAGE, "job: '%s' is not an option, or lacks its value", option);
    }
    if (at + 1 >= argc) die(EXIT_USAGE, "job: no command; it comes after --");
    if (!deadline) die(EXIT_USAGE, "job: --deadline is missing: no job runs without an end");
    struct stat st;
    if (fstat(3, &st) || !S_ISSOCK(st.st_mode)) die(EXIT_USAGE, "descriptor 3 is not a socket: a job reports there");
    fcntl(3, F_SETFD, FD_CLOEXEC);
    app.argv = argv + at + 1;
    app.no_new_privs = k.page ? k.page->no_new_privs : !self.can_kill;

    setsid();
    set_up(3);
    if (!tree_open(&k.tree)) die(EXIT_CONFIG, "/proc can't be used (%s): descendants could not be found", strerror(errno));
    raise_priority();
    start_main(&app);
    rename_process("lh-job");
    keep();
    if (k.why && k.why != WHY_MAIN_ENDED) return EXIT_JOB_KILLED;
    if (k.how == HOW_EXIT) return (int)k.value;
    if (k.how == HOW_SIGNAL) return 128 + (int)k.value;
    return k.value == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
