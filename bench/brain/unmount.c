/* Unmounts in the mount namespace of another process: unmount PID PATH now|lazily
 * Prints the instant just before, in ns of CLOCK_BOOTTIME. While the volume is in use, as by a probe, it is tried again, and the
 * instant is that of the attempt that succeeded. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

int main(int argc, char **argv) {
    struct timespec t;
    char path[64];
    if (argc != 4) return fputs("unmount PID PATH now|lazily\n", stderr), 64;
    snprintf(path, sizeof path, "/proc/%s/ns/mnt", argv[1]);
    int space = open(path, O_RDONLY | O_CLOEXEC), failed;
    if (space < 0 || setns(space, CLONE_NEWNS)) return perror(path), 1;
    do {
        clock_gettime(CLOCK_BOOTTIME, &t);
        failed = umount2(argv[2], strcmp(argv[3], "lazily") ? 0 : MNT_DETACH);
    } while (failed && errno == EBUSY);
    if (failed) return perror(argv[2]), 1;
    printf("%lld\n", t.tv_sec * 1000000000ll + t.tv_nsec);
    return 0;
}
