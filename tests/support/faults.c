/* Faults from outside the program: loaded in front of libc (LD_PRELOAD), it counts what changes files below a folder and
 * does something at the n-th. The program has no hook of its own.
 *
 *   FAULT_DIR    only files below this folder count
 *   FAULT_AT     the operation at which it happens, from 1; 0 for never
 *   FAULT_MODE   kill     SIGKILL in front of the operation
 *                torn     SIGKILL in the middle of it: half of a write is done, anything else wholly
 *                fail     the operation is not done and says EIO
 *                persist  the operation is done and says EIO
 *   FAULT_FULL   while this file exists, writes that grow a file say ENOSPC
 *   FAULT_LOG    a line per operation: its name and its file
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int count;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

/* Whether a path is below the folder; logs it then, and counts it. */
static int met(const char *what, const char *path) {
    const char *dir = setting("FAULT_DIR");
    if (!*dir || strncmp(path, dir, strlen(dir))) return 0;
    int n = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    const char *log = setting("FAULT_LOG");
    if (*log) {
        char line[512];
        int size = snprintf(line, sizeof line, "%s %s\n", what, path + strlen(dir));
        int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd >= 0) {
            syscall(SYS_write, fd, line, size);
            syscall(SYS_close, fd);
        }
    }
    return n == atoi(setting("FAULT_AT"));
}

static int met_fd(const char *what, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return met(what, path);
}

static int mode(const char *name) { return !strcmp(setting("FAULT_MODE"), name); }
static void die(void) { kill(getpid(), SIGKILL); pause(); }

static int full(int fd, off_t end) {
    const char *flag = setting("FAULT_FULL");
    struct stat now;
    char link[64], path[4096];
    if (!*flag || syscall(SYS_access, flag, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    const char *dir = setting("FAULT_DIR");
    if (size <= 0 || !*dir || strncmp(path, dir, strlen(dir))) return 0;
    return !fstat(fd, &now) && S_ISREG(now.st_mode) && end > now.st_size;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITES(name, what, parameters, whole, half, end)                   \
    ssize_t name parameters {                                              \
        if (full(fd, end)) { errno = ENOSPC; return -1; }                  \
        if (met_fd(what, fd)) {                                            \
            if (mode("kill")) die();                                       \
            if (mode("torn")) { half; die(); }                             \
            if (mode("persist")) whole;                                    \
            errno = EIO;                                                   \
            return -1;                                                     \
        }                                                                  \
        return whole;                                                      \
    }

WRITES(write, "write", (int fd, const void *bytes, size_t n), REAL(write)(fd, bytes, n), REAL(write)(fd, bytes, n / 2),
       lseek(fd, 0, SEEK_CUR) + (off_t)n)
WRITES(pwrite, "write", (int fd, const void *bytes, size_t n, off_t at), REAL(pwrite)(fd, bytes, n, at),
       REAL(pwrite)(fd, bytes, n / 2, at), at + (off_t)n)
WRITES(pwrite64, "write", (int fd, const void *bytes, size_t n, off64_t at), REAL(pwrite64)(fd, bytes, n, at),
       REAL(pwrite64)(fd, bytes, n / 2, at), at + (off_t)n)

#define DOES(name, what, parameters, seen, whole)                          \
    int name parameters {                                                  \
        if (seen) {                                                        \
            if (mode("kill")) die();                                       \
            if (mode("torn")) { whole; die(); }                            \
            if (mode("persist")) whole;                                    \
            errno = EIO;                                                   \
            return -1;                                                     \
        }                                                                  \
        return whole;                                                      \
    }

DOES(fsync, "sync", (int fd), met_fd("sync", fd), REAL(fsync)(fd))
DOES(fdatasync, "sync", (int fd), met_fd("sync", fd), REAL(fdatasync)(fd))
DOES(ftruncate, "truncate", (int fd, off_t size), met_fd("truncate", fd), REAL(ftruncate)(fd, size))
DOES(ftruncate64, "truncate", (int fd, off64_t size), met_fd("truncate", fd), REAL(ftruncate64)(fd, size))

static int met_path(const char *what, const char *path) {
    char whole[8192], here[4096];
    if (*path == '/' || !getcwd(here, sizeof here)) return met(what, path);
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return met(what, whole);
}

DOES(rename, "rename", (const char *from, const char *to), met_path("rename", to), REAL(rename)(from, to))
