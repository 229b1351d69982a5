/* A machine in trouble, for LD_PRELOAD: a disk that is full and a wall clock that jumps, driven by trouble.py.
 *
 *     STEELYARD_STANDIN_TROUBLE   a file of two int64, changed while the program runs:
 *         clock_ahead_ns          added to the wall clock, as Python sees it
 *         room_bytes              so much can still be written under the directory; negative: as much as one wants
 *     STEELYARD_STANDIN_DISK      the directory
 *
 * Deleting, replacing and cutting files gives their room back. Only Python's own clock jumps: a library that waits for an
 * absolute time would be woken by the kernel's clock, which doesn't. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct trouble {
    int64_t clock_ahead_ns;
    int64_t room_bytes;
};

static struct trouble *trouble;
static const char *disk;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("STEELYARD_STANDIN_TROUBLE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *trouble, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "trouble.c: STEELYARD_STANDIN_TROUBLE names no file of trouble.py\n");
        abort();
    }
    close(file);
    trouble = mapped;
    disk = getenv("STEELYARD_STANDIN_DISK");
}

#define REAL(name, ...) (((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__))

static int is_beneath(const char *path) {
    size_t length = strlen(disk);
    return strncmp(path, disk, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static int is_on_disk(int file) {
    char link[64], path[PATH_MAX];
    if (!trouble || !disk || __atomic_load_n(&trouble->room_bytes, __ATOMIC_SEQ_CST) < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return is_beneath(path);
}

/* How many of so many bytes still fit. */
static size_t take(size_t wanted) {
    int64_t room = __atomic_load_n(&trouble->room_bytes, __ATOMIC_SEQ_CST);
    int64_t taken;
    do {
        if (room < 0)
            return wanted;
        taken = room < (int64_t)wanted ? room : (int64_t)wanted;
    } while (!__atomic_compare_exchange_n(&trouble->room_bytes, &room, room - taken, 0, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return (size_t)taken;
}

static void give_back(int64_t bytes) {
    if (bytes > 0 && __atomic_load_n(&trouble->room_bytes, __ATOMIC_SEQ_CST) >= 0)
        __atomic_add_fetch(&trouble->room_bytes, bytes, __ATOMIC_SEQ_CST);
}

static ssize_t full(void) {
    errno = ENOSPC;
    return -1;
}

ssize_t write(int file, const void *data, size_t size) {
    size_t fits = size && is_on_disk(file) ? take(size) : size;
    return size && !fits ? full() : REAL(write, file, data, fits);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    size_t fits = size && is_on_disk(file) ? take(size) : size;
    return size && !fits ? full() : REAL(pwrite, file, data, fits, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    return pwrite(file, data, size, (off_t)at);
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
    if (!is_on_disk(file))
        return REAL(writev, file, pieces, count);
    size_t written = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = write(file, pieces[i].iov_base, pieces[i].iov_len);
        if (done < 0)
            return written ? (ssize_t)written : done;
        written += (size_t)done;
        if ((size_t)done < pieces[i].iov_len)
            break;
    }
    return (ssize_t)written;
}

int ftruncate(int file, off_t size) {
    struct stat before;
    int is_ours = is_on_disk(file) && fstat(file, &before) == 0;
    int code = REAL(ftruncate, file, size);
    if (is_ours && code == 0)
        give_back(before.st_size - size);
    return code;
}

int unlink(const char *path) {
    struct stat before;
    int is_ours = trouble && disk && is_beneath(path) && stat(path, &before) == 0;
    int code = REAL(unlink, path);
    if (is_ours && code == 0)
        give_back(before.st_size);
    return code;
}

int rename(const char *from, const char *to) {
    struct stat before;
    int is_ours = trouble && disk && is_beneath(to) && stat(to, &before) == 0;
    int code = REAL(rename, from, to);
    if (is_ours && code == 0)
        give_back(before.st_size);
    return code;
}

int statvfs(const char *path, struct statvfs *found) {
    int code = REAL(statvfs, path, found);
    int64_t room = trouble ? __atomic_load_n(&trouble->room_bytes, __ATOMIC_SEQ_CST) : -1;
    if (code == 0 && disk && room >= 0 && is_beneath(path))
        found->f_bfree = found->f_bavail = (fsblkcnt_t)(room / (int64_t)found->f_frsize);
    return code;
}

int statvfs64(const char *path, struct statvfs64 *found) {
    return statvfs(path, (struct statvfs *)found);
}

/* Whether Python itself asks, by the file that the caller's code lies in. */
static int is_python(void *caller) {
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname)
        return 0;
    const char *slash = strrchr(info.dli_fname, '/');
    const char *name = slash ? slash + 1 : info.dli_fname;
    return strncmp(name, "python", 6) == 0 || strncmp(name, "libpython", 9) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int code = REAL(clock_gettime, clock, now);
    if (code == 0 && clock == CLOCK_REALTIME && trouble && is_python(__builtin_return_address(0))) {
        int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec;
        ns += __atomic_load_n(&trouble->clock_ahead_ns, __ATOMIC_SEQ_CST);
        now->tv_sec = ns / 1000000000LL;
        now->tv_nsec = ns % 1000000000LL;
    }
    return code;
}
