/* How long do two commands take, run in turns? spawn PAIRS WORDS A… B…: A has WORDS words. Prints for each pair the time of
 * A and of B in ns, from before posix_spawn until wait4 returned. Who goes first changes with every pair. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 10000, WARM_UP = 10 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t took(char **argv) {
    pid_t pid;
    int status;
    uint64_t began = now_ns();
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (error == 0 && wait4(pid, &status, 0, NULL) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return now_ns() - began;
    fprintf(stderr, "spawn: %s %s\n", argv[0], error ? strerror(error) : "did not end with 0");
    exit(1);
}

int main(int argc, char **argv) {
    int pairs = argc > 2 ? atoi(argv[1]) : 0, words = argc > 2 ? atoi(argv[2]) : 0;
    if (pairs < 1 || pairs > MAX || words < 1 || words + 3 >= argc) return fputs("spawn PAIRS WORDS A… B…\n", stderr), 64;
    static uint64_t times[MAX + WARM_UP][2];
    char *commands[2][64] = {{0}, {0}};
    if (argc - 3 > 60) return 64;
    memcpy(commands[0], argv + 3, (size_t)words * sizeof *argv);
    memcpy(commands[1], argv + 3 + words, (size_t)(argc - 3 - words) * sizeof *argv);
    for (int i = 0; i < pairs + WARM_UP; i++)
        for (int turn = 0; turn < 2; turn++) {
            int which = (i + turn) % 2;
            times[i][which] = took(commands[which]);
        }
    for (int i = WARM_UP; i < pairs + WARM_UP; i++)
        printf("%llu %llu\n", (unsigned long long)times[i][0], (unsigned long long)times[i][1]);
    return 0;
}
