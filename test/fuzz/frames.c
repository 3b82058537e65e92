/* libFuzzer against outer's own reading of the controller's socket: outer.c is compiled in whole, only fork is replaced.
 * The input is a list of records. An odd first byte makes a frame with right header and checksum around arbitrary payload,
 * so that the fuzzer gets past the door; an even one sends bytes as they are.
 * Held after every record: no deadline beyond the cap, none moved by a refused or garbled frame, no tenure that is over
 * comes back, tenure numbers only grow, and nothing at all changes once the controller is lost. */
#include "../../src/guard/guard.h"
#include <unistd.h>
static int no_fork(void);
#define fork no_fork
#include "../../src/guard/outer.c"
#undef fork

static int no_fork(void) {
    errno = EAGAIN;
    return -1;
}

static void must(bool holds, const char *what) {
    if (holds) return;
    dprintf(2, "broken: %s\n", what);
    abort();
}

struct view { uint64_t tenure, deadline_ns; uint32_t set; };

static struct view view(void) {
    return (struct view){atomic_load(&o.page->tenure), atomic_load(&o.page->deadline_ns), o.page->release.set};
}

static void reset(int pair[2]) {
    static struct page page;
    static char *env[] = {(char *)"A=1", (char *)"LEASEHOLD_LOCK=x", NULL};
    static char *room[2 + MAX_SET + 1];
    memset(&o, 0, sizeof o);
    memset(&page, 0, sizeof page);
    self.env = env, self.app_argv = env;
    o.page = &page, o.env = room;
    o.to_inner = o.tty = o.exit_code = -1;
    o.taken_at = o.silent_at = o.kill_since = NEVER;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) abort();
    o.socket = pair[0];
}

/* Makes a payload mostly acceptable, so that what is beyond the parser is reached: small tenures, deadlines within seconds
 * of now, a hello with a cap of one second. Returns its length. */
static size_t shape(uint8_t type, uint8_t *body, size_t n) {
    uint8_t tenure = body[0] & 3;
    switch (type) {
    case F_HELLO:
        for (size_t i = 0; i < 5; i++) put_u32(body + 4 * i, (uint32_t[]){1000, 100, SIGTERM, body[12] & 1, 0}[i]);
        return 20;
    case F_DEADLINE:
        put_u64(body, tenure);
        put_u64(body + 8, now_ns() + (uint64_t)((int64_t)(int16_t)get_u32(body + 8) * 100000));
        return 16;
    case F_START:
        put_u64(body, tenure);
        for (size_t i = 8; i < 20; i += 4) put_u32(body + i, body[i] & 3);
        return n > 20 ? n : 20;
    case F_SIGNAL: put_u32(body, body[0] & 63), put_u32(body + 4, body[4] & 1), put_u32(body + 8, body[8] & 1); return 12;
    case F_TAKEN: put_u32(body, body[0] & 63); return 4;
    case F_KILL: put_u64(body, tenure), put_u32(body + 8, body[8] & 1); return 12;
    case F_EXIT: put_u32(body, body[0]); return 4;
    default: return n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t frame[FRAME_HEADER + 65536];
    int pair[2];
    uint32_t sequence = 0;
    reset(pair);
    self.log_fd = open("/dev/null", O_WRONLY);
    while (size >= 4 && !o.lost) {
        uint8_t kind = data[0], type = data[1];
        size_t n = (size_t)data[2] | (size_t)(data[3] & 3) << 8;
        data += 4, size -= 4;
        if (n > size) n = size;
        struct view before = view();
        uint64_t cap_ns = o.hello.cap_ms * NS_PER_MS;
        bool whole = kind & 1;
        if (whole) {
            uint8_t body[1024] = {0};
            memcpy(body, data, n);
            size_t sent = n;
            type = (uint8_t)(sequence == 0 && !(kind & 64) ? F_HELLO : type % 9);
            if (!(kind & 128)) sent = shape(type, body, n);
            size_t length = frame_write(frame, type, ++sequence, 0, body, (uint32_t)sent);
            if (kind & 2) frame[(size_t)data[-2] % length] ^= (uint8_t)(1 << (kind >> 2 & 7)), whole = false; /* one bit flipped */
            if (write(pair[1], frame, length) != (ssize_t)length) abort();
        } else if (n && write(pair[1], data, n) != (ssize_t)n) abort();
        data += n, size -= n;
        hear_controller();
        struct view after = view();
        uint64_t now = now_ns();
        must(after.tenure >= before.tenure, "a tenure number went back");
        if (after.deadline_ns != before.deadline_ns && after.deadline_ns) {
            must(whole && type == F_DEADLINE, "a deadline moved by something else than a whole deadline frame");
            must(after.deadline_ns <= now + cap_ns, "a deadline beyond the cap");
            must(after.tenure > before.tenure || before.deadline_ns != 0, "a tenure that was over came back");
        }
        must(whole || (after.tenure == before.tenure && after.set == before.set), "a garbled frame had an effect");
        char drop[4096];
        while (read(pair[1], drop, sizeof drop) > 0) continue;
    }
    if (o.lost) {
        struct view before = view();
        uint8_t body[16]; /* an order that would be obeyed otherwise */
        put_u64(body, before.tenure + 1);
        put_u64(body + 8, now_ns() + 500 * NS_PER_MS);
        o.have = 0;
        size_t length = frame_write(frame, F_DEADLINE, o.sequence_in + 1, 0, body, 16);
        if (write(pair[1], frame, length) != (ssize_t)length) abort();
        hear_controller();
        must(view().deadline_ns == before.deadline_ns && view().tenure == before.tenure, "a lost controller was heard");
    }
    close(self.log_fd);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
