/* The smallest controller: opens a tenure, starts the app, renews its deadline, exits as the app did. For measuring the guard
 * alone, without Node. Arguments: TTL_MS [RENEW_FOR_MS [GRACE_MS [FILE]]]; RENEW_FOR_MS 0: it never renews. The
 * deadline that it last asked for is in FILE. */
#include "../src/guard/guard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint32_t sequence;
static const char *record;

static uint64_t boottime_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void order(uint8_t type, const uint8_t *payload, uint32_t length) {
    uint8_t frame[FRAME_HEADER + 64];
    size_t n = frame_write(frame, type, ++sequence, 0, payload, length);
    if (write(3, frame, n) != (ssize_t)n) _exit(1);
}

static void deadline(uint64_t ttl_ms) {
    uint8_t p[16];
    uint64_t at = boottime_ns() + ttl_ms * NS_PER_MS;
    put_u64(p, 1);
    put_u64(p + 8, at);
    if (record) {
        int fd = open(record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || dprintf(fd, "%llu\n", (unsigned long long)at) < 0 || close(fd)) _exit(1);
    }
    order(F_DEADLINE, p, 16);
}

int main(int argc, char **argv) {
    uint64_t ttl_ms = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
    uint64_t renew_for_ms = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX / NS_PER_MS;
    uint8_t p[20] = {0};
    if (argc > 4) record = argv[4];
    put_u32(p, (uint32_t)ttl_ms + 1000);
    put_u32(p + 4, argc > 3 ? (uint32_t)atoi(argv[3]) : 0);
    put_u32(p + 8, SIGTERM);
    order(F_HELLO, p, 20);
    deadline(ttl_ms);
    memset(p, 0, sizeof p);
    put_u64(p, 1);
    order(F_START, p, 20);
    uint64_t renew_until = boottime_ns() / NS_PER_MS + renew_for_ms;
    uint32_t code = 0;
    static uint8_t in[65536];
    size_t have = 0;
    for (;;) {
        struct pollfd fd = {3, POLLIN, 0};
        if (poll(&fd, 1, renew_for_ms ? (int)(ttl_ms / 4) : -1) == 0) {
            if (boottime_ns() / NS_PER_MS < renew_until) deadline(ttl_ms);
            continue;
        }
        ssize_t n = read(3, in + have, sizeof in - have);
        if (n <= 0) return 1;
        have += (size_t)n;
        size_t at = 0;
        while (have - at >= FRAME_HEADER && have - at >= FRAME_HEADER + get_u32(in + at + 4)) {
            const uint8_t *body = in + at + FRAME_HEADER;
            if (in[at + 3] == F_EXITED) {
                uint32_t how = get_u32(body + 8), value = get_u32(body + 12);
                code = how == HOW_EXIT ? value : how == HOW_SIGNAL ? 128 + value : value == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
            }
            if (in[at + 3] == F_SIGNALLED && get_u32(body + 4) == 0) {
                uint8_t s[12] = {0};
                order(F_TAKEN, body, 4);
                put_u32(s, SIGTERM);
                order(F_SIGNAL, s, 12);
            }
            if (in[at + 3] == F_EMPTY) {
                uint8_t c[4];
                put_u32(c, code);
                order(F_EXIT, c, 4);
                return 0;
            }
            at += FRAME_HEADER + get_u32(in + at + 4);
        }
        memmove(in, in + at, have - at);
        have -= at;
    }
}
