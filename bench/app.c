/* The app whose death is measured. Arguments: BUSY [FILE].
 *
 *   main      asleep, leads its process group; with FILE it wakes every 100 µs
 *   daemon    asleep, forked twice, in a session of its own
 *   busy      BUSY endless loops, half of them children of main, half of the daemon
 *
 * It ignores every signal that it can, and says "ready" when the tree is whole. With FILE, main and the busy loops stamp
 * CLOCK_BOOTTIME (u64, ns) into it, 64 bytes apart: the last stamp tells until when the app ran. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLOT = 64, FILE_BYTES = 4096 };

static volatile uint64_t *stamps; /* NULL: nobody asks */
static int go[2];                 /* the busy loops begin together, so that they don't hinder the start */

static void stamp(int slot) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    stamps[slot * SLOT / 8] = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fork_busy(int from, int to) {
    char byte;
    for (int i = from; i < to; i++) {
        if (fork()) continue;
        if (read(go[0], &byte, 1) != 1) _exit(1);
        if (stamps) for (;;) stamp(i + 1);
        for (volatile int forever = 1; forever;) continue;
    }
}

static void sleep_on(void) {
    for (;;) pause();
}

int main(int argc, char **argv) {
    int busy = argc > 1 ? atoi(argv[1]) : 0, done[2];
    char byte = 0;
    if (busy < 0 || busy >= FILE_BYTES / SLOT || pipe(go) || pipe(done)) return 1;
    if (argc > 2) {
        int fd = open(argv[2], O_RDWR);
        if (fd < 0 || ftruncate(fd, FILE_BYTES)) return 1;
        stamps = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (stamps == MAP_FAILED) return 1;
    }
    for (int sig = 1; sig < NSIG; sig++)
        if (sig != SIGCHLD) signal(sig, SIG_IGN);
    fork_busy(0, (busy + 1) / 2);
    pid_t between = fork();
    if (between == 0) {
        setsid();
        if (fork()) _exit(0);
        fork_busy((busy + 1) / 2, busy);
        if (write(done[1], &byte, 1) != 1) _exit(1);
        sleep_on();
    }
    waitpid(between, NULL, 0);
    if (read(done[0], &byte, 1) != 1) return 1;
    for (int i = 0; i < busy; i++)
        if (write(go[1], &byte, 1) != 1) return 1;
    if (write(1, "ready\n", 6) != 6) return 1;
    if (!stamps) sleep_on();
    prctl(PR_SET_TIMERSLACK, 1);
    for (;;) {
        stamp(0);
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
}
