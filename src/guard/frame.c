/* The frames of frames.md: strict, bounded, pure. A frame is whole and right, or the controller is dead. */
#include "guard.h"
#include <string.h>

uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static uint64_t get_u64(const uint8_t *p) { return get_u32(p) | (uint64_t)get_u32(p + 4) << 32; }
void put_u32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}
void put_u64(uint8_t *p, uint64_t v) {
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

/* zlib's crc32, four bits at a time: crc32_of(0, …) begins, the result goes in again to continue. */
uint32_t crc32_of(uint32_t crc, const uint8_t *p, size_t n) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278,
        0xbdbdf21c};
    crc = ~crc;
    while (n--) {
        crc ^= *p++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t frame_crc(const uint8_t *frame, size_t payload) {
    static const uint8_t zero[4];
    return crc32_of(crc32_of(crc32_of(0, frame, 12), zero, 4), frame + 16, 8 + payload);
}

size_t frame_write(uint8_t *out, uint8_t type, uint32_t sequence, uint64_t sent_at_ns, const void *payload, uint32_t length) {
    out[0] = 'L', out[1] = 'H', out[2] = FRAME_VERSION, out[3] = type;
    put_u32(out + 4, length);
    put_u32(out + 8, sequence);
    put_u64(out + 16, sent_at_ns);
    if (length) memcpy(out + FRAME_HEADER, payload, length);
    put_u32(out + 12, frame_crc(out, length));
    return FRAME_HEADER + (size_t)length;
}

/* Takes count strings off the front of *p. */
static bool take_strings(const uint8_t **p, size_t *n, uint32_t count, struct strings *s) {
    const uint8_t *from = *p;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *end = *n ? memchr(*p, 0, *n) : NULL;
        if (!end) return false;
        *n -= (size_t)(end - *p) + 1;
        *p = end + 1;
    }
    *s = (struct strings){(const char *)from, (size_t)(*p - from), count};
    return true;
}

static bool parse_start(const uint8_t *p, size_t n, struct order *o) {
    if (n < 20) return false;
    uint32_t unset = get_u32(p + 8), set = get_u32(p + 12), argv = get_u32(p + 16);
    if (unset > MAX_UNSET || set > MAX_SET || argv > MAX_ARGV) return false;
    o->u.start.tenure = get_u64(p);
    p += 20, n -= 20;
    if (!take_strings(&p, &n, unset, &o->u.start.unset) || !take_strings(&p, &n, set, &o->u.start.set) ||
        !take_strings(&p, &n, argv, &o->u.start.argv) || n)
        return false;
    const char *s = o->u.start.set.at; /* each is NAME=value: an entry without a name would reach the app as it is */
    for (uint32_t i = 0; i < set; i++, s += strlen(s) + 1)
        if (!strchr(s, '=') || *s == '=') return false;
    return true;
}

static bool parse_release(const uint8_t *p, size_t n, struct order *o) {
    if (n < 20) return false;
    uint32_t paths = get_u32(p + 16);
    o->u.release.offset = get_u64(p);
    o->u.release.drain_ms = get_u32(p + 8);
    o->u.release.release_ms = get_u32(p + 12);
    p += 20, n -= 20;
    return paths <= MAX_PATHS && n <= MAX_PATH_BYTES && o->u.release.drain_ms <= CAP_MAX_MS &&
           o->u.release.release_ms <= CAP_MAX_MS && take_strings(&p, &n, paths, &o->u.release.paths) && !n;
}

static bool signal_ok(uint32_t sig) { return sig >= 1 && sig <= 64; }

static bool parse_payload(const uint8_t *p, size_t n, struct order *o) {
    switch (o->type) {
    case F_HELLO:
        if (n != 20) return false;
        o->u.hello.cap_ms = get_u32(p), o->u.hello.grace_ms = get_u32(p + 4), o->u.hello.stop_signal = get_u32(p + 8);
        o->u.hello.scope = get_u32(p + 12), o->u.hello.flags = get_u32(p + 16);
        return o->u.hello.cap_ms >= 1 && o->u.hello.cap_ms <= CAP_MAX_MS && o->u.hello.grace_ms <= CAP_MAX_MS &&
               signal_ok(o->u.hello.stop_signal) && o->u.hello.scope <= SCOPE_GROUP && o->u.hello.flags <= 1;
    case F_DEADLINE:
        o->u.deadline.tenure = n == 16 ? get_u64(p) : 0, o->u.deadline.deadline_ns = n == 16 ? get_u64(p + 8) : 0;
        return n == 16;
    case F_START: return parse_start(p, n, o);
    case F_SIGNAL:
        if (n != 12) return false;
        o->u.signal.signal = get_u32(p), o->u.signal.scope = get_u32(p + 4), o->u.signal.flags = get_u32(p + 8);
        return signal_ok(o->u.signal.signal) && o->u.signal.scope <= SCOPE_GROUP && o->u.signal.flags <= 1;
    case F_TAKEN:
        o->u.taken.signal = n == 4 ? get_u32(p) : 65;
        return o->u.taken.signal <= 64;
    case F_KILL:
        if (n != 12) return false;
        o->u.kill.tenure = get_u64(p), o->u.kill.close = get_u32(p + 8);
        return o->u.kill.close <= 1;
    case F_RELEASE: return parse_release(p, n, o);
    case F_EXIT:
        o->u.exit.code = n == 4 ? get_u32(p) : 256;
        return o->u.exit.code <= 255;
    default: return false;
    }
}

long order_parse(const uint8_t *buf, size_t have, uint32_t sequence, struct order *o, const char **why) {
    *why = NULL;
    if (have >= 2 && (buf[0] != 'L' || buf[1] != 'H')) *why = "it does not begin with LH";
    else if (have >= 3 && buf[2] != FRAME_VERSION) *why = "its version is not 1";
    if (*why) return -1;
    if (have < FRAME_HEADER) return 0;
    size_t length = get_u32(buf + 4);
    if (length > FRAME_MAX) *why = "it is longer than 65,536 bytes";
    else if (get_u32(buf + 8) != sequence) *why = "it is out of order";
    else if (have < FRAME_HEADER + length) return 0;
    else if (get_u32(buf + 12) != frame_crc(buf, length)) *why = "its checksum is wrong";
    else {
        memset(o, 0, sizeof *o);
        o->type = buf[3], o->sequence = sequence;
        if (o->type < F_HELLO || o->type > F_LAST_ORDER) *why = "its type is unknown";
        else if ((o->type == F_HELLO) != (sequence == 1)) *why = "hello comes first, and once";
        else if (!parse_payload(buf + FRAME_HEADER, length, o)) *why = "its payload is not what its type allows";
        else return (long)(FRAME_HEADER + length);
    }
    return -1;
}
