/* Killing every descendant. A process of the tree can leave its parent, session, group and user behind, but not its
 * descent: when its parent dies it becomes the child of the nearest living subreaper above, which is us. So:
 *   1. each child of ours is killed: it is ours until we reap it, its number can't be another's;
 *   2. deeper descendants are found in /proc and killed at once by pidfd, to save the wait until they become children;
 *   3. who slips through (forks while we look) is a child in the next sweep; when waitpid says ECHILD nobody is left.
 * Only 1 and 3 are needed to be sure; 2 makes a deep tree under load die in one scheduling delay instead of many. */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool tree_open(struct tree *t) {
    memset(t, 0, sizeof *t);
    char path[64];
    ssize_t n = readlink("/proc/self", path, sizeof path - 1);
    if (n < 0) return false;
    path[n] = 0;
    if (atoi(path) != getpid()) { /* its numbers would be foreign ones, and we would kill by them */
        errno = EXDEV;
        return false;
    }
    t->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->proc_fd < 0) return false;
    t->children_fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    return true;
}

static bool is_own(const struct tree *t, pid_t pid) {
    for (int i = 0; i < MAX_OWN; i++)
        if (t->own[i] == pid) return true;
    return false;
}

static void note(struct tree *t, pid_t pid, int error) {
    if (error == EPERM && !t->denied++) t->sample = pid;
    if (!t->left++ && !t->denied) t->sample = pid;
}

struct stat_line { pid_t ppid; char state; unsigned long long start; };

/* proc/PID/stat: the command's name may hold anything, so fields count from the last parenthesis. */
static bool read_stat(const struct tree *t, pid_t pid, struct stat_line *s) {
    char path[32], text[1024];
    snprintf(path, sizeof path, "%d/stat", pid);
    int fd = openat(t->proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return false;
    text[n] = 0;
    char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || !p[2]) return false;
    s->state = p[2];
    s->ppid = (pid_t)strtol(p + 3, &p, 10);
    for (int field = 5; field < 22; field++) { /* 22: starttime */
        p = strchr(p + 1, ' ');
        if (!p) return false;
    }
    s->start = strtoull(p, NULL, 10);
    return true;
}

char tree_state(const struct tree *t, pid_t pid) {
    struct stat_line s;
    return read_stat(t, pid, &s) ? s.state : '?';
}

struct dirent64 { uint64_t ino; int64_t off; uint16_t len; uint8_t type; char name[]; };

static struct seen { pid_t pid, ppid; unsigned long long start; bool ours; } seen[16384]; /* touched only to kill */

/* All of /proc, in ascending order of pid as the kernel lists it. Above the table's size the next sweeps see the rest. */
static size_t look_through_proc(const struct tree *t) {
    static union { struct dirent64 align; char bytes[8192]; } d;
    size_t n = 0;
    lseek(t->proc_fd, 0, SEEK_SET);
    for (long got; (got = syscall(SYS_getdents64, t->proc_fd, &d, sizeof d)) > 0;)
        for (long at = 0; at < got;) {
            const struct dirent64 *e = (const void *)(d.bytes + at);
            at += e->len;
            struct stat_line s;
            pid_t pid = (pid_t)atoi(e->name);
            if (pid > 0 && n < sizeof seen / sizeof *seen && read_stat(t, pid, &s))
                seen[n++] = (struct seen){pid, s.ppid, s.start, false};
        }
    return n;
}

static struct seen *find(size_t n, pid_t pid) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (seen[mid].pid < pid) low = mid + 1;
        else high = mid;
    }
    return low < n && seen[low].pid == pid ? &seen[low] : NULL;
}

/* A pid that is not our child's may have become another's since it was read. The pidfd pins whoever has it now; the same
 * parent and start time read afterwards show that it is still the one that was seen. */
static void kill_descendant(struct tree *t, const struct seen *p) {
    int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (fd < 0) return; /* gone, or a kernel without pidfds: it will be our child soon */
    struct stat_line s;
    if (read_stat(t, p->pid, &s) && s.ppid == p->ppid && s.start == p->start) {
        int error = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) ? errno : 0;
        if (error != ESRCH) note(t, p->pid, error);
    }
    close(fd);
}

static void each_child(struct tree *t, void (*act)(struct tree *, pid_t, int), int sig) {
    if (t->children_fd < 0) {
        size_t n = look_through_proc(t);
        for (size_t i = 0; i < n; i++)
            if (seen[i].ppid == getpid() && !is_own(t, seen[i].pid)) act(t, seen[i].pid, sig);
        return;
    }
    /* Complete for every child there was when it began: we reap none meanwhile, and new ones come last. */
    char text[4096];
    pid_t pid = 0;
    lseek(t->children_fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(t->children_fd, text, sizeof text)) > 0;)
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
                continue;
            }
            if (pid > 0 && !is_own(t, pid)) act(t, pid, sig);
            pid = 0;
        }
}

static void signal_child(struct tree *t, pid_t pid, int sig) {
    int error = kill(pid, sig) ? errno : 0;
    if (error == EPERM && tree_state(t, pid) == 'Z') error = 0; /* dead: only its parent's look is missing */
    if (sig == SIGKILL) note(t, pid, error);
}

void tree_signal_children(struct tree *t, int sig) { each_child(t, signal_child, sig); }

void tree_sweep(struct tree *t, bool deep) {
    t->left = t->denied = 0, t->sample = 0;
    tree_signal_children(t, SIGKILL);
    if (!deep) return;
    size_t n = look_through_proc(t);
    for (bool more = true; more;) { /* a child mostly has a higher number than its parent: one or two rounds */
        more = false;
        for (size_t i = 0; i < n; i++) {
            if (seen[i].ours || is_own(t, seen[i].pid)) continue;
            const struct seen *parent = find(n, seen[i].ppid);
            if (seen[i].ppid == getpid() || (parent && parent->ours)) seen[i].ours = more = true;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (seen[i].ours && seen[i].ppid != getpid()) kill_descendant(t, &seen[i]);
}

bool tree_kill(struct tree *t, pid_t main, uint64_t now) {
    bool first = t->began_ns == 0;
    if (first) t->began_ns = now, t->pause_ms = 1, t->report_ns = now + UNDEAD_FIRST_MS * NS_PER_MS;
    if (now < t->next_ns) return false;
    /* One system call for most of the tree; a fork under way in the group fails. The group is named by our own child,
     * which is not reaped yet, so the number is not another's. */
    if (main > 0) kill(-main, SIGKILL);
    /* A deep look costs a few ms on a machine with hundreds of processes: under a CPU quota that is time which the tree needs
     * to die. What a second of them didn't end can't be killed anyway. */
    bool young = now < t->began_ns + UNDEAD_FIRST_MS * NS_PER_MS;
    tree_sweep(t, !first && t->looks++ % (young ? 4 : 20) == 0);
    if (!first && t->pause_ms < SWEEP_MAX_MS) t->pause_ms *= 2;
    t->next_ns = now_ns() + t->pause_ms * NS_PER_MS;
    bool due = now >= t->report_ns || (t->denied && t->report_ns == t->began_ns + UNDEAD_FIRST_MS * NS_PER_MS);
    if (due) t->report_ns = now + UNDEAD_AGAIN_MS * NS_PER_MS;
    return due;
}
