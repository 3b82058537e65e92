/* CLOCK_BOOTTIME less CLOCK_MONOTONIC, in ns: how long this machine has slept. Node reads only the second one. */
#include <stdio.h>
#include <time.h>

int main(void) {
    struct timespec boot, running;
    clock_gettime(CLOCK_MONOTONIC, &running);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    printf("%lld\n", (boot.tv_sec - running.tv_sec) * 1000000000LL + (boot.tv_nsec - running.tv_nsec));
    return 0;
}
