/* The probe: file operations on a volume that may hang. It knows no policy, opens every file anew, and runs in a job, whose
 * deadline is its time limit: whoever waits for it never waits in a system call of its own. */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { CONTENT_MAX = 1048576, ENTRY_MAX = 4096, LINE_BYTES = 65536, WORDS_MAX = 16000, MOUNT_ID = 0x1000 };
static char content[CONTENT_MAX], back[CONTENT_MAX]; /* what an operation returns, or writes; what it reads besides */
static size_t length;
static const char *step; /* the system call that failed last */

static int failed(const char *call) { return step = call, errno ? errno : EIO; }

/* Closes fd after an operation; the close of a written file is where some network file systems report the error. */
static int closing(int fd, int error) { return close(fd) && !error ? failed("close") : error; }

/* Drops what this machine has cached of it. An NFSv3 client asks its server only whether the time of the last change is
 * another one, and two changes in one tick of the server's clock have the same: the second would stay hidden. */
static void forget(int fd) { posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); }

static int read_all(int fd, char *to, size_t max, size_t *got) {
    ssize_t n = 1; /* no signal of ours has a handler: nothing is interrupted */
    for (*got = 0; *got < max && n; *got += (size_t)n)
        if ((n = read(fd, to + *got, max - *got)) < 0) return failed("read");
    return 0;
}

static int read_file(const char *path, char *to, size_t max, size_t *got) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* a FIFO would wait for a writer */
    if (fd < 0) return failed("open");
    forget(fd);
    return closing(fd, read_all(fd, to, max, got));
}

static int write_all(int fd, size_t bytes) {
    ssize_t n;
    for (size_t at = 0; at < bytes; at += (size_t)n)
        if ((n = pwrite(fd, content + at, bytes - at, (off_t)at)) <= 0) return failed("write");
    return fsync(fd) ? failed("fsync") : 0;
}

static int write_file(const char *path, int flags, size_t bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    if (fd < 0) return failed("open");
    return closing(fd, write_all(fd, bytes));
}

static int sync_at(const char *path, int (*sync)(int), const char *call) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return failed("open");
    return closing(fd, sync(fd) ? failed(call) : 0);
}

static int sync_directory_of(const char *path) {
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    return sync_at(dirname(copy), fsync, "fsync");
}

/* ---- the operations: errno, or 0 ---- */

#define UNUSED __attribute__((unused))

static int op_fs(char **a, size_t n UNUSED) {
    struct stat st;
    struct statfs fs;
    uint32_t sx[64] = {0}; /* struct statx: its mask, and at 36 the mount's id, which Linux knows since 5.8 */
    int fd = open(a[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return failed("open");
    if (fstat(fd, &st) || fstatfs(fd, &fs)) return closing(fd, failed("fstat"));
    syscall(SYS_statx, fd, "", AT_EMPTY_PATH, MOUNT_ID, sx);
    length = (size_t)snprintf(content, sizeof content,
        "type=0x%jx bsize=%ju blocks=%ju bfree=%ju bavail=%ju files=%ju ffree=%ju flags=0x%jx dev=%u:%u ino=%ju mnt=%u kind=%s",
        (uintmax_t)fs.f_type, (uintmax_t)(fs.f_frsize ? fs.f_frsize : fs.f_bsize), (uintmax_t)fs.f_blocks, (uintmax_t)fs.f_bfree,
        (uintmax_t)fs.f_bavail, (uintmax_t)fs.f_files, (uintmax_t)fs.f_ffree, (uintmax_t)fs.f_flags, major(st.st_dev), minor(st.st_dev),
        (uintmax_t)st.st_ino, sx[0] & MOUNT_ID ? sx[36] : 0, S_ISDIR(st.st_mode) ? "dir" : S_ISREG(st.st_mode) ? "file" : "other");
    return closing(fd, 0);
}

static int op_read(char **a, size_t max) { return read_file(a[0], content, max, &length); }

/* The names in a directory as a string list: at most max, and what fits; *more: there were others. */
static int names_of(const char *dir, size_t max, char *to, size_t *got, bool *more) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed("open");
    forget(fd);
    struct { uint64_t ino; int64_t off; uint16_t len; uint8_t type; char name[]; } *e;
    static union { uint64_t align; char bytes[32768]; } d;
    long n = 1;
    for (*got = 0, *more = false; !*more && (n = syscall(SYS_getdents64, fd, &d, sizeof d)) > 0;)
        for (long at = 0; at < n && !*more; at += e->len) {
            e = (void *)(d.bytes + at);
            size_t bytes = strlen(e->name) + 1;
            if (!strcmp(e->name, ".") || !strcmp(e->name, "..")) continue;
            if ((*more = max-- == 0 || *got + bytes > CONTENT_MAX)) break;
            memcpy(to + *got, e->name, bytes), *got += bytes;
        }
    return closing(fd, n < 0 ? failed("getdents64") : 0);
}

static int op_list(char **a, size_t max) {
    bool more;
    return names_of(a[0], max, content, &length, &more);
}

/* First all names, then the contents: whatever is read here was listed before. A file's own error is told with it. */
static int op_dir(char **a, size_t max) {
    size_t names, got;
    bool more;
    int error = names_of(a[0], max, back, &names, &more);
    for (char *name = back; !error && name < back + names; name += strlen(name) + 1) {
        static char path[8192], bytes[ENTRY_MAX];
        got = 0;
        int its_error = snprintf(path, sizeof path, "%s/%s", a[0], name) >= (int)sizeof path ? ENAMETOOLONG
            : read_file(path, bytes, sizeof bytes, &got);
        while (got && !bytes[got - 1]) got--;
        if ((more = more || length + strlen(name) + got + 32 > sizeof content)) break;
        length += (size_t)snprintf(content + length, sizeof content - length, "%s%c%d %zu%c", name, 0, its_error, got, 0);
        memcpy(content + length, bytes, got), length += got;
    }
    return error ? error : more ? (step = "limit", EOVERFLOW) : 0;
}

static int op_write(char **a, size_t bytes) { return write_file(a[0], 0, bytes); }

static int op_check(char **a, size_t bytes) {
    size_t got;
    int error = write_file(a[0], 0, bytes);
    if (!error) error = read_file(a[0], back, bytes, &got);
    if (error || (got == bytes && !memcmp(back, content, bytes))) return error;
    /* ext4 that an error made read-only in between drops what was written, and its fsync says nothing of it. */
    if ((error = write_file(a[0], 0, bytes)) != EROFS) step = "compare", error = EILSEQ;
    return error;
}

static int op_create(char **a, size_t bytes) {
    int error = write_file(a[0], O_EXCL, bytes);
    if (error) return error;
    if (link(a[0], a[1])) error = failed("link");
    if (unlink(a[0]) && !error) error = failed("unlink");
    return error ? error : sync_directory_of(a[1]);
}

static int op_mkdir(char **a, size_t n UNUSED) { return mkdir(a[0], 0777) ? failed("mkdir") : sync_directory_of(a[0]); }

static int op_unlink(char **a, size_t n UNUSED) { return unlink(a[0]) ? failed("unlink") : 0; }

static int op_sync(char **a, size_t n UNUSED) { return sync_at(a[0], syncfs, "syncfs"); }

static const struct operation {
    const char *name;
    int paths;
    bool number, input; /* its last argument is a number; that many bytes of standard input are its content */
    int (*run)(char **paths, size_t number);
} operations[] = {
    {"fs", 1, false, false, op_fs},        {"read", 1, true, false, op_read},  {"list", 1, true, false, op_list},
    {"write", 1, true, true, op_write},    {"check", 1, true, true, op_check}, {"create", 2, true, true, op_create},
    {"mkdir", 1, false, false, op_mkdir},  {"unlink", 1, false, false, op_unlink}, {"sync", 1, false, false, op_sync},
    {"dir", 1, true, false, op_dir},
};

/* The one at *at, which becomes that of the next. */
static const struct operation *operation_at(int argc, char **argv, int *at, size_t *amount) {
    const char *name = argv[*at];
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const struct operation *op = &operations[i];
        if (strcmp(name, op->name)) continue;
        if (*at + op->paths + op->number >= argc) die(EXIT_USAGE, "probe: '%s' lacks an argument", name);
        *amount = op->number ? number(name, argv[*at + op->paths + 1], CONTENT_MAX) : 0;
        *at += 1 + op->paths + op->number;
        return op;
    }
    die(EXIT_USAGE, "probe: '%s' is not an operation", name);
}

/* In order, until one fails; returns its errno. Of what follows only the input is read: the next request comes after it. */
static int operate(int argc, char **argv, int at, bool answer) {
    size_t amount, got;
    for (int i = at; i < argc;) operation_at(argc, argv, &i, &amount); /* all of it, before anything is touched */
    int error = 0;
    for (int index = 0; at < argc; index++) {
        char **paths = argv + at + 1;
        const struct operation *op = operation_at(argc, argv, &at, &amount);
        if (op->input && (read_all(0, content, amount, &got) || got < amount))
            die(EXIT_USAGE, "probe: '%s' wants %zu bytes on standard input, there were %zu", op->name, amount, got);
        if (error) continue;
        length = 0, errno = 0; /* a short write leaves it as it was */
        uint64_t start = now_ns();
        if ((error = op->run(paths, amount))) length = 0;
        if (!answer) continue;
        printf("%d %d %s %llu %llu %zu\n", index, error, error ? step : "-", (unsigned long long)start, (unsigned long long)now_ns(), length);
        fwrite(content, 1, length, stdout);
        if (fflush(stdout)) _exit(1);
    }
    return error;
}

/* One request: its number, the length of its line, the line, the input. -1: there is none. */
int probe_request(bool answer) {
    static char line[LINE_BYTES + 1], *words[WORDS_MAX];
    uint32_t head[2];
    size_t got, n = 0;
    if (read_all(0, (char *)head, sizeof head, &got) || !got) return -1;
    if (got < sizeof head || !head[1] || head[1] > LINE_BYTES || read_all(0, line, head[1], &got) || got < head[1]) _exit(EXIT_USAGE);
    line[got] = 0;
    for (char *word = line; word < line + got && n < WORDS_MAX; word += strlen(word) + 1) words[n++] = word;
    if (answer) printf("%u\n", head[0]);
    return operate((int)n, words, 0, answer);
}

int probe_main(int argc, char **argv) {
    restore_start();
    if (argc < 3) die(EXIT_USAGE, "probe: no operation");
    if (strcmp(argv[2], "serve")) return operate(argc, argv, 2, true) != 0;
    while (probe_request(true) >= 0) continue;
    return 0;
}
