/* A disk that is full from the n-th write on, or at the n-th alone: preloaded, it fails writes to files below a folder.
   FULL_BELOW: the folder. FULL_AT: the first write that fails, from 1 on; without it none does, and counting begins
   anew. Both may change while the process runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static long done = 0;

static int fails(int file) {
    const char *below = getenv("FULL_BELOW"), *at = getenv("FULL_AT");
    char link[64], name[4096];
    if (!below || !at) {
        done = 0;
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, name, sizeof name - 1);
    if (size < 0) return 0;
    name[size] = 0;
    if (strncmp(name, below, strlen(below))) return 0;
    return __sync_add_and_fetch(&done, 1) >= atol(at);
}

#define FULL do { if (fails(file)) { errno = ENOSPC; return -1; } } while (0)

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    FULL;
    return real(file, data, size);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = dlsym(RTLD_NEXT, "writev");
    FULL;
    return real(file, parts, count);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t place) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite");
    FULL;
    return real(file, data, size, place);
}

ssize_t copy_file_range(int from, off_t *begin, int file, off_t *place, size_t size, unsigned int flags) {
    static ssize_t (*real)(int, off_t *, int, off_t *, size_t, unsigned int);
    if (!real) real = dlsym(RTLD_NEXT, "copy_file_range");
    FULL;
    return real(from, begin, file, place, size, flags);
}

ssize_t sendfile(int file, int from, off_t *place, size_t size) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "sendfile");
    FULL;
    return real(file, from, place, size);
}
