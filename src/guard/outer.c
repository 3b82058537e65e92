/* Outer: signals in, exit code out. Between the controller, which decides, and inner, which has the app as its child. It
 * needs neither: without the controller it stops the app and releases the lock, without inner it kills the tree itself.
 * Long because it is one state around one poll: who may change what is seen best on one page. */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEVER UINT64_MAX

static struct outer {
    struct page *page;
    struct tree tree;
    pid_t controller, pump, inner;
    int socket;       /* to the controller; -1 once it is dead */
    int to_inner, signals, timer, mounts, log_read, tty;
    uint8_t in[FRAME_HEADER + FRAME_MAX];
    size_t have;
    uint32_t sequence_in;
    struct hello hello;
    bool greeted, app, takeover, undead;
    bool killing_told;         /* inner kills before it says so, and may die in between */
    bool mounts_changed, mounts_told; /* one report until the next order: a storm of mounts must not fill the socket */
    bool ended;       /* this tenure's end was noticed, and a sign of life asked for */
    bool more;        /* zombies are left to reap */
    bool clean;       /* the controller is reaped, and no child that outer did not start itself was left after that */
    const char *lost;    /* why the controller counts as dead; NULL: it lives */
    int exit_code;       /* asked for by the controller; -1: not yet */
    uint64_t exit_at, taken_at, silent_at, strays_at, kill_since, pump_at;
    struct app what;
    char **env;          /* room for the environment and what start puts there */
    char *argv[MAX_ARGV + 1];
} o;

static void controller_lost(const char *why) {
    if (!o.lost) o.lost = why;
}

/* ---- to the controller ---- */

static void tell(uint8_t type, const void *payload, uint32_t length) {
    uint8_t frame[FRAME_HEADER + 32];
    if (o.socket < 0) return;
    size_t n = frame_write(frame, type, atomic_fetch_add(&o.page->sequence, 1) + 1, now_ns(), payload, length);
    if (send(o.socket, frame, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n) controller_lost("it does not read its socket");
}

static void tell_values(uint8_t type, int n, const uint32_t *values) {
    uint8_t payload[32];
    for (int i = 0; i < n; i++) put_u32(payload + 4 * i, values[i]);
    tell(type, payload, 4 * (uint32_t)n);
}

static void tell_tenure(uint8_t type, int n, const uint32_t *values) {
    uint8_t payload[32];
    put_u64(payload, atomic_load(&o.page->tenure));
    for (int i = 0; i < n; i++) put_u32(payload + 8 + 4 * i, values[i]);
    tell(type, payload, 8 + 4 * (uint32_t)n);
}

static void tell_inner(uint32_t signal, uint32_t scope, uint32_t stop) {
    struct tell t = {signal, scope, stop};
    if (o.to_inner >= 0) send(o.to_inner, &t, sizeof t, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the app ---- */

static void signal_app(uint32_t sig, uint32_t scope, uint32_t stop) {
    if (o.app && !o.takeover) tell_inner(sig, scope, stop);
}

static void order_kill(uint32_t why) {
    uint32_t none = 0;
    if (!o.app) return;
    atomic_compare_exchange_strong(&o.page->killing, &none, why);
    tell_inner(0, 0, 0);
}

/* The terminal goes to the app only if it was ours to give, and comes back unless somebody else has it by now. */
static int terminal(void) {
    for (int fd = 0; fd < 3; fd++)
        if (!self.closed[fd] && isatty(fd) && tcgetpgrp(fd) == getpgrp()) return fd;
    return -1;
}

static void take_terminal_back(void) {
    if (o.tty < 0) return;
    pid_t foreground = tcgetpgrp(o.tty), app = (pid_t)atomic_load(&o.page->main_pid);
    if (foreground > 0 && (foreground == app || kill(-foreground, 0))) tcsetpgrp(o.tty, getpgrp());
    o.tty = -1;
}

static void app_is_empty(void) {
    o.app = o.takeover = o.undead = false;
    o.kill_since = NEVER;
    if (o.to_inner >= 0) close(o.to_inner);
    o.to_inner = -1;
    take_terminal_back();
    tell_tenure(F_EMPTY, 1, (uint32_t[]){atomic_load(&o.page->reaped)});
}

static void app_is_undead(const uint32_t report[4]) {
    o.undead = true;
    if (o.socket < 0 || report[2] == 'P')
        say("%u processes of the app can't be killed (process %u, state %c) since %u ms: the lock is kept", report[0], report[1], (int)report[2], report[3]);
    if (self.pid1 && !self.can_kill) {
        say("CAP_KILL is missing: ending PID 1 instead, the kernel then ends this PID namespace");
        /* The pump dies with us: it gets a moment, well inside the margin, to write down why. */
        for (int i = 0, unread = 1; i < 50 && unread > 0 && !ioctl(o.log_read, FIONREAD, &unread); i++) nanosleep(&(struct timespec){0, 1000000}, NULL);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        _exit(EXIT_UNDEAD); /* no release: who dies last is not seen, the lease ends by itself */
    }
}

static void hear_inner(void) {
    struct said said;
    ssize_t n = 1;
    for (int i = 0; i < ROUND && o.to_inner >= 0 && (n = recv(o.to_inner, &said, sizeof said, MSG_DONTWAIT)) == sizeof said; i++) {
        if (said.type == F_EMPTY) {
            app_is_empty();
            return;
        }
        tell((uint8_t)said.type, said.payload, said.length);
        if (said.type == F_KILLING) o.killing_told = true;
        if (said.type != F_UNDEAD) continue;
        uint32_t report[4];
        for (int v = 0; v < 4; v++) report[v] = get_u32(said.payload + 8 + 4 * v); /* behind the tenure */
        app_is_undead(report);
    }
    if (n == 0) { /* it is dying: polled further, its end would keep us, with real-time priority, from letting it die */
        close(o.to_inner);
        o.to_inner = -1;
    }
}

/* Inner is dead before it said `empty`: its children are ours now. */
static void take_over(void) {
    hear_inner();
    if (!o.app) return;
    o.takeover = true;
    uint32_t why = 0; /* what it is already, when the exchange fails */
    if (atomic_compare_exchange_strong(&o.page->killing, &why, WHY_INNER_DIED)) why = WHY_INNER_DIED;
    if (!o.killing_told) tell_tenure(F_KILLING, 1, &why);
    o.killing_told = true;
    if (o.kill_since == NEVER) say("the inner guard died: killing the app");
    o.tree.began_ns = o.tree.next_ns = 0;
}

static void become_inner(uint64_t tenure, int to_outer) {
    int ours[] = {o.to_inner, o.signals, o.timer, o.mounts, o.log_read, o.tree.proc_fd, o.tree.children_fd};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ours[i] >= 0) close(ours[i]);
    inner_run(o.page, tenure, &o.what, to_outer, o.socket);
}

static void unpack(const struct strings *s, char **to) {
    const char *at = s->at;
    for (uint32_t i = 0; i < s->count; i++, at += strlen(at) + 1) *to++ = (char *)(uintptr_t)at;
    *to = NULL;
}

static uint32_t start_app(const struct order *order) {
    static char *names[MAX_UNSET + 1], *entries[MAX_SET + 1];
    uint64_t tenure = order->u.start.tenure, last = atomic_load(&o.page->tenure);
    if (tenure < last) return S_LATE;
    if (tenure > last || tenure == 0) return S_NO_TENURE;
    if (tenure_over(o.page, tenure, now_ns())) return S_LATE;
    if (o.app || o.exit_code >= 0) return S_NOT_EMPTY;

    size_t n = 0;
    for (char **e = self.env; *e; e++) o.env[n++] = *e;
    o.env[n] = NULL;
    unpack(&order->u.start.unset, names);
    unpack(&order->u.start.set, entries);
    for (char **e = names; *e; e++) env_take(o.env, *e, strlen(*e));
    for (char **e = entries; *e; e++) env_put(o.env, *e);
    unpack(&order->u.start.argv, o.argv);
    o.tty = terminal();
    o.what = (struct app){order->u.start.argv.count ? o.argv : self.app_argv, o.env, o.tty, o.page->no_new_privs};

    atomic_store(&o.page->killing, 0);
    atomic_store(&o.page->main_pid, 0);
    atomic_store(&o.page->main_ended, 0);
    atomic_store(&o.page->reaped, 0);
    atomic_store(&o.page->beat_ns, 0);
    o.app = true, o.ended = o.killing_told = false, o.kill_since = NEVER;
    int pair[2] = {-1, -1};
    bool made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
    o.to_inner = pair[0];
    o.inner = made ? fork() : -1;
    if (o.inner == 0) become_inner(tenure, pair[1]);
    if (o.inner < 0) {
        o.inner = 0;
        tell_tenure(F_EXITED, 2, (uint32_t[]){HOW_NO_FORK, (uint32_t)errno});
        app_is_empty();
    }
    if (made) close(pair[1]);
    return S_DONE;
}

/* ---- the controller's orders ---- */

static uint32_t move_deadline(const struct order *order) {
    uint32_t status = tenure_deadline(o.page, order->u.deadline.tenure, order->u.deadline.deadline_ns, now_ns(),
        o.hello.cap_ms * NS_PER_MS, o.app || o.exit_code >= 0);
    if (status == S_DONE) tell_inner(0, 0, 0); /* it may lie nearer than before */
    return status;
}

static uint32_t kill_app(const struct order *order) {
    uint64_t last = atomic_load(&o.page->tenure);
    if (order->u.kill.tenure != last) return order->u.kill.tenure < last ? S_LATE : S_NO_TENURE;
    order_kill(WHY_ORDER);
    if (order->u.kill.close) tenure_close(o.page);
    return S_DONE;
}

static uint32_t register_release(const struct order *order) {
    o.page->release.set = 0;
    if (order->u.release.offset == UINT64_MAX) return S_DONE;
    o.page->release.offset = order->u.release.offset;
    o.page->release.drain_ms = order->u.release.drain_ms;
    o.page->release.release_ms = order->u.release.release_ms;
    o.page->release.n_paths = order->u.release.paths.count;
    memcpy(o.page->release.paths, order->u.release.paths.at, order->u.release.paths.bytes);
    atomic_thread_fence(memory_order_seq_cst);
    o.page->release.set = 1;
    return S_DONE;
}

static uint32_t obey(const struct order *order) {
    switch (order->type) {
    case F_HELLO:
        o.hello = order->u.hello;
        atomic_store(&o.page->json_log, order->u.hello.flags & 1);
        o.greeted = true;
        return S_DONE;
    case F_DEADLINE: return move_deadline(order);
    case F_START: return start_app(order);
    case F_SIGNAL:
        if (!o.app || o.takeover) return S_NO_APP;
        signal_app(order->u.signal.signal, order->u.signal.scope, order->u.signal.flags);
        return S_DONE;
    case F_TAKEN:
        if (order->u.taken.signal) o.taken_at = NEVER; /* a mere sign of life takes no stop */
        return S_DONE;
    case F_KILL: return kill_app(order);
    case F_RELEASE: return register_release(order);
    default: /* F_EXIT: order_parse lets no other type through */
        o.exit_code = (int)order->u.exit.code;
        o.exit_at = now_ns() + CONTROLLER_EXIT_MS * NS_PER_MS;
        order_kill(WHY_ORDER);
        return S_DONE;
    }
}

static void hear_controller(void) {
    ssize_t n = recv(o.socket, o.in + o.have, sizeof o.in - o.have, MSG_DONTWAIT);
    if (n == 0) return controller_lost("it closed its socket");
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) controller_lost("it closed its socket"); /* with frames unread */
        return;
    }
    o.have += (size_t)n;
    size_t at = 0;
    while (!o.lost) {
        static struct order order;
        const char *why;
        long length = order_parse(o.in + at, o.have - at, o.sequence_in + 1, &order, &why);
        if (length < 0) {
            say("garbage from the controller: frame %u is refused, %s", o.sequence_in + 1, why);
            controller_lost("it sent garbage");
        }
        if (length <= 0) break;
        o.sequence_in++;
        o.silent_at = NEVER, o.mounts_told = false;
        tell_values(F_ACK, 2, (uint32_t[]){order.sequence, obey(&order)});
        at += (size_t)length;
    }
    o.have -= at;
    memmove(o.in, o.in + at, o.have);
}

/* ---- ends ---- */

/* What is still in the log pipe gets a moment to reach standard error, if that is read at all. */
static _Noreturn void finish(int code) {
    take_terminal_back();
    if (o.controller > 0) kill(o.controller, SIGKILL);
    close(self.log_fd);
    close(o.log_read);
    if (o.pump > 0 && !ended_by(o.pump, now_ns() + LAST_WORDS_MS * NS_PER_MS, NULL)) kill(o.pump, SIGKILL);
    _exit(code);
}

/* G3: the stop signal at once, SIGKILL after the grace or at the deadline; then, with all dead, the registered release. */
static void after_the_controller(uint64_t now) {
    if (o.socket >= 0) {
        close(o.socket);
        o.socket = -1;
        if (o.controller > 0) kill(o.controller, SIGKILL);
        if (o.exit_code < 0) say("the controller died: %s%s", o.lost, o.app ? "; stopping the app" : "");
        if (o.greeted) {
            signal_app(o.hello.stop_signal, o.hello.scope, 1);
            tenure_at_most(o.page, now + o.hello.grace_ms * NS_PER_MS);
        } else tenure_close(o.page);
        tell_inner(0, 0, 0);
    }
    if (o.app || !o.clean) return; /* its jobs touch the volume too */
    if (o.exit_code >= 0) finish(o.exit_code);
    tenure_close(o.page);
    release_run(o.page);
    finish(EXIT_DEFECT);
}

static void at_the_exit(uint64_t now) {
    if (o.undead) { /* the controller gives up knowing so: what is left keeps the lock, inner goes on killing */
        o.page->release.set = 0;
        finish(EXIT_UNDEAD);
    }
    if (o.app || now < o.exit_at) return;
    controller_lost("it did not end after its exit frame");
    if (now < o.exit_at + UNDEAD_FIRST_MS * NS_PER_MS) return;
    say("%u processes of jobs, or the controller, can't be killed", o.tree.left);
    finish(EXIT_UNDEAD);
}

/* ---- signals ---- */

static void reap(void) {
    int status;
    pid_t pid = 0;
    for (int i = 0; i < ROUND && (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0; i++) {
        if (pid == o.controller) {
            o.controller = 0, o.strays_at = 0;
            if (o.socket >= 0) hear_controller(); /* its last words may be `exit` */
            controller_lost(WIFSIGNALED(status) ? "it was killed by a signal" : "it ended without its exit frame");
        } else if (pid == o.inner) {
            o.inner = 0;
            take_over();
        } else if (pid == o.pump) {
            o.pump = 0;
        } else if (o.app && pid == (pid_t)atomic_load(&o.page->main_pid) && !atomic_exchange(&o.page->main_ended, 1)) {
            bool exited = WIFEXITED(status);
            tell_tenure(F_EXITED, 2, (uint32_t[]){exited ? HOW_EXIT : HOW_SIGNAL, (uint32_t)(exited ? WEXITSTATUS(status) : WTERMSIG(status))});
        } else atomic_fetch_add(&o.page->reaped, 1);
    }
    o.more = pid > 0;
    if (o.takeover) o.tree.next_ns = 0, o.tree.pause_ms = 1;
}

static void hear_signals(void) {
    struct signalfd_siginfo s;
    for (int i = 0; i < ROUND && read(o.signals, &s, sizeof s) == sizeof s; i++) {
        uint32_t sig = s.ssi_signo;
        bool reported = sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP;
        if (sig == SIGCHLD) reap();
        else if (sig == SIGTERM || !o.app) { /* a stop is the controller's; without an app every end is */
            if (reported) tell_values(F_SIGNALLED, 2, (uint32_t[]){sig, 0});
            if (reported && o.silent_at == NEVER) o.silent_at = now_ns() + SILENT_MS * NS_PER_MS;
            if (sig == SIGTERM && o.app && o.taken_at == NEVER) o.taken_at = now_ns() + TAKEN_MS * NS_PER_MS;
        } else {
            signal_app(sig, o.hello.scope, 0);
            if (reported) tell_values(F_SIGNALLED, 2, (uint32_t[]){sig, 1});
        }
    }
}

/* ---- what is due ---- */

/* Inner kills. Until it has looked once outer kills below it as well: two chances for a turn on a busy processor. But what
 * forks, or lies too deep, only a parent finds for certain: when inner is stopped or starved it has to go. */
static void watch_inner(uint64_t now) {
    if (!o.app) return;
    bool over = tenure_over(o.page, atomic_load(&o.page->tenure), now);
    if (over && !o.ended) o.ended = true, o.silent_at = now + SILENT_MS * NS_PER_MS; /* the controller has to say something */
    if (!over && !atomic_load(&o.page->killing)) return;
    if (o.kill_since == NEVER) o.kill_since = now;
    if (o.takeover) {
        if (tree_kill(&o.tree, 0, now)) {
            uint32_t report[4];
            tree_report(&o.tree, now, report);
            tell_tenure(F_UNDEAD, 4, report);
            app_is_undead(report);
        }
        if (o.tree.left == 0) app_is_empty();
        return;
    }
    if (o.inner <= 0) return;
    uint64_t beat = atomic_load(&o.page->beat_ns), seen = beat > o.kill_since ? beat : o.kill_since;
    if (beat == 0) {
        order_kill(WHY_DEADLINE); /* unless there was another reason */
        tree_kill_below(&o.tree, o.inner);
    }
    if (now <= seen + TAKEOVER_MS * NS_PER_MS) return;
    say("the inner guard did not kill within %d ms (stopped, or starved): outer does", TAKEOVER_MS);
    kill(o.inner, SIGKILL);
    o.kill_since = now; /* not again at every look */
}

/* Children that outer did not start: left by a dead job guard, or by a process that an engine put into the container. */
static void kill_strays(uint64_t now) {
    if (o.takeover) return;
    tree_kill_below(&o.tree, 0); /* a job guard last: with it goes the lock for which a release waits */
    tree_sweep(&o.tree, false);
    o.clean = o.tree.left == 0 && o.controller == 0;
    o.strays_at = now + (o.tree.left ? 5 : STRAY_MS) * NS_PER_MS;
}

static _Noreturn void become_pump(void) {
    rename_process("lh-pump");
    setsid(); /* writing to a terminal never stops it then */
    restore_start();
    signal(SIGPIPE, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    dup2(o.log_read, 0);
    if (null >= 0) dup2(null, 1);
    close_from(3);
    static char text[65536];
    for (ssize_t n; (n = read(0, text, sizeof text)) > 0 || (n < 0 && errno == EINTR);)
        for (ssize_t at = 0; at < n;) {
            ssize_t put = write(2, text + at, (size_t)(n - at));
            struct pollfd err = {2, POLLOUT, 0};
            if (put > 0) at += put;
            else if (errno == EAGAIN) poll(&err, 1, -1); /* the app made the shared description non-blocking */
            else if (errno != EINTR) break;              /* nobody can read it any more */
        }
    _exit(0);
}

static void start_pump(uint64_t now) {
    o.pump_at = now + NS_PER_S;
    o.pump = fork();
    if (o.pump == 0) become_pump();
    if (o.pump < 0) o.pump = 0;
}

/* Does what is due and returns when something will be. */
static uint64_t look(uint64_t now) {
    if (now >= o.taken_at) {
        o.taken_at = NEVER;
        say("the controller did not take the stop within %d ms: sending signal %u to the app", TAKEN_MS, o.hello.stop_signal);
        signal_app(o.hello.stop_signal, o.hello.scope, 1);
    }
    if (now >= o.silent_at && !o.app) o.silent_at = NEVER, controller_lost("it was silent for 5 s after its deadline or a signal");
    if (now >= o.strays_at) kill_strays(now);
    if (o.pump == 0 && now >= o.pump_at) start_pump(now);
    watch_inner(now);
    if (o.exit_code >= 0) at_the_exit(now);
    if (o.lost) after_the_controller(now);

    uint64_t deadline_ns = atomic_load(&o.page->deadline_ns);
    uint64_t times[] = {o.taken_at, o.strays_at, o.exit_code < 0 ? NEVER : now < o.exit_at ? o.exit_at : now + 20 * NS_PER_MS, o.app ? NEVER : o.silent_at,
        o.pump ? NEVER : o.pump_at, o.takeover ? o.tree.next_ns : NEVER, o.kill_since == NEVER ? NEVER : now + 20 * NS_PER_MS};
    timer_at(o.timer, o.app && deadline_ns ? deadline_ns : NEVER);
    uint64_t next = NEVER;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] < next) next = times[i];
    return next;
}

/* ---- set-up ---- */

static bool allowed(const char *entry) {
    static const char *const names[] = {"LEASEHOLD_", "PATH=", "HOME=", "TZ=", "HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY=", "ALL_PROXY=",
        "http_proxy=", "https_proxy=", "no_proxy=", "all_proxy=", "NOTIFY_SOCKET=", "WATCHDOG_",
        "PG_MAJOR=", "MYSQL_MAJOR=", "MARIADB_VERSION="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(entry, names[i], strlen(names[i]))) return true;
    return false;
}

static void read_command_line(int argc, char **argv) {
    int split = 2, n = 0;
    while (split < argc && strcmp(argv[split], "--")) split++;
    bool run = !strcmp(argv[1], "run");
    if (!run && split == 2) die(EXIT_USAGE, "guard: no controller; it comes first: leasehold guard CONTROLLER [ARG…] -- COMMAND [ARG…]");
    if (split + 1 >= argc) die(EXIT_USAGE, "no command; it comes after --");
    self.app_argv = argv + split + 1;
    if (!run) {
        snprintf(self.node, sizeof self.node, "%s", argv[2]);
        self.controller[0] = self.node;
        for (int i = 3; i < split; i++) self.controller[i - 2] = argv[i];
    }
    self.releaser[n++] = self.node;
    if (run) self.releaser[n++] = self.bundle;
    self.releaser[n] = (char *)(uintptr_t)"release";
    n = 0;
    for (char **e = self.env; *e && n < 1023; e++)
        if (allowed(*e)) self.controller_env[n++] = *e;
}

/* G6 */
static void check_can_kill(void) {
    if (!self.can_kill && self.may_change_uid && !self.pid1)
        die(EXIT_CONFIG, "CAP_KILL is missing, and the app may change its user: it could then not be killed. Add the "
            "capability KILL, or run as another user than root, or make leasehold PID 1 of its container");
}

static void make_page(void) {
    size_t bytes = 0, entries = 0;
    for (char **e = self.env; *e; e++) bytes += strlen(*e) + 1, entries++;
    self.page_fd = memfd_create("leasehold-page", MFD_CLOEXEC);
    self.release_fd = memfd_create("leasehold-release", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (self.page_fd < 0 || self.release_fd < 0 || ftruncate(self.page_fd, (off_t)(PAGE_BYTES + bytes)))
        die(EXIT_DEFECT, "no shared memory (%s)", strerror(errno));
    off_t at = PAGE_BYTES;
    for (char **e = self.env; *e; at += (off_t)strlen(*e) + 1, e++)
        if (pwrite(self.page_fd, *e, strlen(*e), at) < 0) die(EXIT_DEFECT, "no shared memory (%s)", strerror(errno));
    o.page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self.page_fd, 0);
    o.env = calloc(entries + MAX_SET + 1, sizeof *o.env);
    if (o.page == MAP_FAILED || !o.env) die(EXIT_DEFECT, "no memory (%s)", strerror(errno));
    o.page->magic = PAGE_MAGIC, o.page->env_bytes = (uint32_t)bytes;
    o.page->no_new_privs = !self.can_kill && !self.pid1; /* then no set-uid program can put itself out of our reach */
    self.page = o.page;
}

static void become_controller(int socket, int log_write) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", self.page_fd);
    int page = open(path, O_RDONLY), null = open("/dev/null", O_RDWR); /* a controller gone wild can't write the page */
    setsid();
    restore_start();
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int from[] = {null, log_write, log_write, socket, page, self.release_fd};
    for (int i = 0; i < 6; i++) from[i] = fcntl(from[i], F_DUPFD, 16); /* out of the way of 0 to 5 */
    for (int i = 0; i < 6; i++)
        if (dup2(from[i], i) < 0) {
            dprintf(log_write, "leasehold: too few descriptors are allowed (RLIMIT_NOFILE): the guard needs 32\n");
            _exit(EXIT_DEFECT);
        }
    close_from(6);
    execve(self.controller[0], self.controller, self.controller_env);
    dprintf(2, "leasehold: %s can't be executed (%s)\n", self.controller[0], strerror(errno));
    _exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static void set_up(void) {
    int log_pipe[2], pair[2];
    if (!tree_open(&o.tree))
        die(EXIT_CONFIG, errno == EXDEV ? "/proc is that of another PID namespace: mount the container's own"
            : "/proc is not mounted (%s): mount it, the guard finds the app's processes there", strerror(errno));
    o.tree.own[0] = &o.controller, o.tree.own[1] = &o.pump, o.tree.own[2] = &o.inner;
    check_can_kill();
    make_page();
    if (pipe2(log_pipe, O_CLOEXEC) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) || (o.signals = signals_fd()) < 0 ||
        (o.timer = timer_fd()) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1))
        die(EXIT_DEFECT, "the guard could not be set up: %s", strerror(errno));
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", log_pipe[1]);
    int log_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* a description of its own: the controller's may block */
    if (log_fd < 0) die(EXIT_DEFECT, "the log pipe could not be opened: %s", strerror(errno));
    o.mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    o.log_read = log_pipe[0], o.socket = pair[0];
    o.to_inner = o.tty = o.exit_code = -1;
    o.taken_at = o.silent_at = o.kill_since = NEVER;
    start_pump(now_ns());
    if (!o.pump) die(EXIT_DEFECT, "no process could be forked: %s", strerror(errno));
    self.log_fd = log_fd;
    o.controller = fork();
    if (o.controller == 0) become_controller(pair[1], log_pipe[1]);
    if (o.controller < 0) die(EXIT_DEFECT, "no process could be forked: %s", strerror(errno));
    close(pair[1]);
    close(log_pipe[1]);
    raise_priority();
}

int outer_main(int argc, char **argv) {
    read_command_line(argc, argv);
    prctl(PR_SET_NAME, "leasehold", 0, 0, 0);
    set_up();
    uint32_t flags = (self.pid1 ? WELCOME_PID1 : 0) | (self.can_kill ? WELCOME_CAN_KILL : 0) |
                     (isatty(2) ? WELCOME_TTY : 0) | (o.page->no_new_privs ? WELCOME_NO_NEW_PRIVS : 0);
    tell_values(F_WELCOME, 3, (uint32_t[]){FRAME_VERSION, flags, (uint32_t)getpid()});
    for (;;) {
        uint64_t next = look(now_ns());
        struct pollfd fds[] = {{o.signals, POLLIN, 0}, {o.timer, POLLIN, 0}, {o.socket, POLLIN, 0}, {o.to_inner, POLLIN, 0},
            {o.mounts, POLLPRI, 0}};
        poll(fds, 5, o.more ? 0 : ms_until(next, now_ns()));
        uint64_t expirations;
        if (fds[1].revents && read(o.timer, &expirations, sizeof expirations) < 0) continue;
        if (fds[3].revents) hear_inner();
        if (fds[2].revents && o.socket >= 0) hear_controller();
        if (o.more) reap();
        if (fds[0].revents) hear_signals();
        if (fds[4].revents) o.mounts_changed = true; /* the kernel says it only once */
        if (o.mounts_changed && !o.mounts_told) o.mounts_changed = false, o.mounts_told = true, tell(F_MOUNTS, "", 0);
    }
}
