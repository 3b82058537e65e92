/* Killing every descendant. A process of the tree can leave its parent, session, group and user behind, but not its
 * descent: when its parent dies it becomes the child of the nearest living subreaper above, which is us. So:
 *   1. each child of ours is killed: it is ours until we reap it, its number can't be another's;
 *   2. deeper descendants are found from there down, and killed by pidfd, to save the wait until they become children;
 *   3. who slips through (forks while we look) is a child in the next sweep; when waitpid says ECHILD nobody is left.
 * Only 1 and 3 are needed to be sure; 2 makes a deep tree die in one turn of ours on the processor instead of many: under
 * load, or under a CPU quota, each turn has to be waited for. */
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
    if (read(t->children_fd, path, sizeof path) < 0) t->children_fd = -1; /* and the kernel's buffer is there from now on */
    return true;
}

static bool is_own(const struct tree *t, pid_t pid) {
    for (int i = 0; i < MAX_OWN; i++)
        if (t->own[i] && *t->own[i] == pid) return true;
    return false;
}

static void note(struct tree *t, pid_t pid, int error) {
    if (error == EPERM && !t->denied++) t->sample = pid;
    if (!t->left++ && !t->denied) t->sample = pid;
}

struct stat_line { pid_t ppid; char state; };

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
    s->ppid = (pid_t)strtol(p + 3, NULL, 10);
    return true;
}

static char state_of(const struct tree *t, pid_t pid) {
    struct stat_line s;
    return read_stat(t, pid, &s) ? s.state : '?';
}

void tree_report(const struct tree *t, uint64_t now, uint32_t report[4]) {
    report[0] = t->left, report[1] = (uint32_t)t->sample;
    report[2] = (uint32_t)(t->denied ? 'P' : state_of(t, t->sample));
    report[3] = (uint32_t)((now - t->began_ns) / NS_PER_MS);
}

struct dirent64 { uint64_t ino; int64_t off; uint16_t len; uint8_t type; char name[]; };

/* The next number in a folder of /proc, 0 at its end. Begin with a zeroed one. */
struct entries { union { struct dirent64 align; char bytes[512]; } d; long got, at; };

static pid_t next_entry(int folder_fd, struct entries *e) {
    for (;;) {
        if (e->at >= e->got) {
            e->got = syscall(SYS_getdents64, folder_fd, &e->d, sizeof e->d), e->at = 0;
            if (e->got <= 0) return 0;
        }
        const struct dirent64 *one = (const void *)(e->d.bytes + e->at);
        e->at += one->len;
        if (one->name[0] >= '1' && one->name[0] <= '9') return (pid_t)atoi(one->name);
    }
}

/* The next number in a file `children`, where a blank follows each; 0 at its end. Complete for every child there was when
 * it began: only the parent's own wait takes one off the list, and new ones come last. */
struct numbers { char text[512]; ssize_t got, at; };

static pid_t next_number(int fd, struct numbers *n) {
    for (pid_t pid = 0;;) {
        if (n->at >= n->got) {
            n->got = read(fd, n->text, sizeof n->text), n->at = 0;
            if (n->got <= 0) return 0;
        }
        char c = n->text[n->at++];
        if (c >= '0' && c <= '9') pid = pid * 10 + (c - '0');
        else if (pid > 0) return pid;
    }
}

static void each_child(struct tree *t, void (*act)(struct tree *, pid_t, int), int argument) {
    pid_t pid;
    if (t->children_fd >= 0) {
        struct numbers n = {.got = 0};
        lseek(t->children_fd, 0, SEEK_SET);
        while ((pid = next_number(t->children_fd, &n)))
            if (!is_own(t, pid)) act(t, pid, argument);
        return;
    }
    struct entries e = {.got = 0};
    struct stat_line s;
    lseek(t->proc_fd, 0, SEEK_SET);
    while ((pid = next_entry(t->proc_fd, &e)))
        if (read_stat(t, pid, &s) && s.ppid == getpid() && !is_own(t, pid)) act(t, pid, argument);
}

/* Signal 0 tells whether this process is still there, if only unreaped: its number is then nobody else's. */
static bool is_there(int pidfd) {
    return pidfd < 0 || !syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) || errno == EPERM;
}

static void kill_below(struct tree *t, pid_t pid, int pidfd, int depth);

/* This number was read, a moment ago, as a child of `parent`, whose number is its own as long as its pidfd says so (-1: it is
 * our child, unreaped). It may have become another's since. The pidfd pins whoever has it now, and what is read afterwards
 * is about that one, or about nobody who could still be killed by it. */
static void kill_descendant(struct tree *t, pid_t pid, pid_t parent, int parent_fd, int depth) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return; /* gone, or a kernel without pidfds: it will be our child soon */
    struct stat_line s;
    if (read_stat(t, pid, &s) && s.ppid == parent && s.state != 'Z' && is_there(parent_fd)) {
        if (depth < DEEPEST) kill_below(t, pid, fd, depth); /* while it still has its children */
        int error = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) ? errno : 0;
        if (error != ESRCH) note(t, pid, error);
    }
    close(fd);
}

/* Each thread has children of its own. */
static void kill_below(struct tree *t, pid_t pid, int pidfd, int depth) {
    char path[64];
    snprintf(path, sizeof path, "%d/task", pid);
    int threads_fd = openat(t->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (threads_fd < 0) return;
    struct entries e = {.got = 0};
    for (pid_t thread, child; (thread = next_entry(threads_fd, &e));) {
        struct numbers n = {.got = 0};
        snprintf(path, sizeof path, "%d/children", thread);
        int fd = openat(threads_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        while (t->budget-- > 0 && (child = next_number(fd, &n))) kill_descendant(t, child, pid, pidfd, depth + 1);
        close(fd);
    }
    close(threads_fd);
}

static void kill_below_child(struct tree *t, pid_t pid, int depth) {
    if (t->budget-- > 0) kill_below(t, pid, -1, depth);
}

void tree_kill_below(struct tree *t, pid_t child) {
    t->budget = DEEP_MOST;
    if (child) kill_below_child(t, child, 0);
    else each_child(t, kill_below_child, 0);
}

static void signal_child(struct tree *t, pid_t pid, int sig) {
    int error = kill(pid, sig) ? errno : 0;
    if (error == EPERM && state_of(t, pid) == 'Z') error = 0; /* dead: only its parent's look is missing */
    if (sig == SIGKILL) note(t, pid, error);
}

void tree_signal_children(struct tree *t, int sig) { each_child(t, signal_child, sig); }

void tree_sweep(struct tree *t, bool deep) {
    t->left = t->denied = 0, t->sample = 0;
    tree_signal_children(t, SIGKILL);
    if (deep) tree_kill_below(t, 0);
}

bool tree_kill(struct tree *t, pid_t main, uint64_t now) {
    bool first = t->began_ns == 0;
    if (first) t->began_ns = now, t->pause_ms = 1, t->report_ns = now + UNDEAD_FIRST_MS * NS_PER_MS;
    if (now < t->next_ns) return false;
    /* One system call for most of the tree; a fork under way in the group fails. The group is named by our own child,
     * which is not reaped yet, so the number is not another's. */
    if (main > 0) kill(-main, SIGKILL);
    tree_sweep(t, t->looks++ % DEEP_EVERY == 0);
    if (!first && t->pause_ms < SWEEP_MAX_MS) t->pause_ms *= 2;
    t->next_ns = now_ns() + t->pause_ms * NS_PER_MS;
    bool due = now >= t->report_ns || (t->denied && t->report_ns == t->began_ns + UNDEAD_FIRST_MS * NS_PER_MS);
    if (due) t->report_ns = now + UNDEAD_AGAIN_MS * NS_PER_MS;
    return due;
}
