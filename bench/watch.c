/* When does each of these processes die?
 *
 *   watch WAIT_MS at   INSTANT_NS     PID…    counts from an instant of CLOCK_BOOTTIME
 *   watch WAIT_MS kill PID            PID…    sends SIGKILL to the first one and counts from just before
 *   watch WAIT_MS thaw FREEZER_STATE  PID…    thaws that cgroup and counts from just before
 *
 * First line: when all were being watched, and the instant counted from. Then PID and the time of its death, or 0 when it
 * lived on WAIT_MS after the instant. All in ns of CLOCK_BOOTTIME. A zombie is dead: its pidfd is readable then. The time is
 * read when poll returns, so it is never too early; as root this process is scheduled before all others, so that it is not
 * late on a busy machine either. Nothing is printed until the end, so that nobody else wakes up. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 256 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

int main(int argc, char **argv) {
    struct pollfd fds[MAX];
    uint64_t died[MAX] = {0};
    int n = argc - 4, left = n, target = -1;
    if (n < 1 || n > MAX) return fputs("watch WAIT_MS at|kill|thaw TARGET PID…\n", stderr), 64;
    uint64_t wait_ns = strtoull(argv[1], NULL, 10) * 1000000;
    syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}); /* musl's stub refuses */
    for (int i = 0; i < n; i++) {
        fds[i] = (struct pollfd){(int)syscall(SYS_pidfd_open, atoi(argv[4 + i]), 0), POLLIN, 0};
        if (fds[i].fd < 0) return fail(argv[4 + i]);
    }
    if (!strcmp(argv[2], "kill")) target = (int)syscall(SYS_pidfd_open, atoi(argv[3]), 0);
    else if (!strcmp(argv[2], "thaw")) target = open(argv[3], O_WRONLY);
    else target = 0;
    if (target < 0) return fail(argv[3]);

    uint64_t ready = now_ns(), instant = ready;
    if (!strcmp(argv[2], "at")) instant = strtoull(argv[3], NULL, 10);
    else if (!strcmp(argv[2], "kill") && syscall(SYS_pidfd_send_signal, target, SIGKILL, NULL, 0)) return fail("kill");
    else if (!strcmp(argv[2], "thaw") && write(target, "THAWED", 6) != 6) return fail("thaw");

    for (uint64_t now; left > 0 && (now = now_ns()) < instant + wait_ns;) {
        if (poll(fds, (nfds_t)n, (int)((instant + wait_ns - now) / 1000000 + 1)) <= 0) continue;
        now = now_ns();
        for (int i = 0; i < n; i++)
            if (fds[i].revents) died[i] = now, fds[i].fd = -1, fds[i].revents = 0, left--;
    }
    printf("%llu %llu\n", (unsigned long long)ready, (unsigned long long)instant);
    for (int i = 0; i < n; i++) printf("%s %llu\n", argv[4 + i], (unsigned long long)died[i]);
    return 0;
}
