/* After the death of the controller: what it registered is done for it. Called only with every descendant dead and the tenure closed; until it
 * returns this process does nothing else, and each step has its limit. */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs in a child: a hung file system must not hang the guard. */
static int drain(const char *paths, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, paths += strlen(paths) + 1) {
        int fd = open(paths, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || syncfs(fd)) {
            say("drain of %s failed: %s", paths, strerror(errno));
            return 1;
        }
        close(fd);
    }
    return 0;
}

/* Exit code 0 within the limit. What is late is killed and left to the kernel: it may hang for ever in D state. */
static bool ended_well(pid_t pid, uint32_t limit_ms, const char *what) {
    int status;
    if (!ended_by(pid, now_ns() + limit_ms * NS_PER_MS, &status)) {
        kill(pid, SIGKILL);
        say("%s took longer than %u ms: the lock is not released, its lease ends by itself", what, limit_ms);
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    say("%s failed (%s %d)", what, WIFEXITED(status) ? "exit code" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return false;
}

/* The record may hold secrets: it goes from memory to memory, and nobody can change it any more. What a probe can do needs no Node, which may
 * have just been killed for want of memory: its request lies before the record, and begins with a zero. */
static void become_releaser(uint64_t offset) {
    fcntl(self.release_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    lseek(self.release_fd, (off_t)offset, SEEK_SET);
    setsid();
    dup2(self.release_fd, 0);
    dup2(self.log_fd, 1);
    dup2(self.log_fd, 2);
    close_from(3);
    char first;
    if (pread(0, &first, 1, (off_t)offset) == 1 && !first && !probe_request(false)) _exit(0);
    restore_start(); /* not before: no signal ends the write */
    execve(self.releaser[0], self.releaser, self.controller_env);
    _exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Jobs that are nobody's descendants here, those of `leasehold exec` and an orphaned inner's, hold a lock on the page to their
 * end. Their tenure is closed, so that end is near, and none begins. */
static bool jobs_ended(void) {
    for (uint64_t end = now_ns() + UNDEAD_AGAIN_MS * NS_PER_MS; flock(self.page_fd, LOCK_EX | LOCK_NB); poll(NULL, 0, 5))
        if (now_ns() >= end) {
            say("a job has not ended after %d ms: the lock is not released, its lease ends by itself", UNDEAD_AGAIN_MS);
            return false;
        }
    return true;
}

void release_run(struct page *page) {
    if (!page->release.set || !jobs_ended()) return;
    page->release.set = 0;
    if (page->release.n_paths) {
        pid_t pid = fork();
        if (pid == 0) _exit(drain(page->release.paths, page->release.n_paths));
        if (pid < 0) say("drain could not be started: %s", strerror(errno));
        if (pid < 0 || !ended_well(pid, page->release.drain_ms, "the drain")) return;
    }
    pid_t pid = fork();
    if (pid == 0) become_releaser(page->release.offset);
    if (pid < 0) say("the release program could not be started: %s", strerror(errno));
    else if (ended_well(pid, page->release.release_ms, "the release program")) say("released after the controller's death");
}
