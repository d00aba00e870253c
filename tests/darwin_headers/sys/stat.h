#pragma once
#include <sys/types.h>
#include <time.h>
struct stat {
    dev_t st_dev;
    mode_t st_mode;
    unsigned short st_nlink;
    ino_t st_ino;
    uid_t st_uid;
    gid_t st_gid;
    dev_t st_rdev;
    struct timespec st_atimespec, st_mtimespec, st_ctimespec, st_birthtimespec;
    off_t st_size;
    long long st_blocks;
    int st_blksize;
    unsigned st_flags, st_gen;
    int st_lspare;
    long long st_qspare[2];
};
#ifdef __x86_64__
#define DARWIN_INODE64(name) __asm("_" name "$INODE64")
#else
#define DARWIN_INODE64(name)
#endif
int stat(const char *, struct stat *) DARWIN_INODE64("stat");
int fstat(int, struct stat *) DARWIN_INODE64("fstat");
#define S_ISREG(mode) (((mode) & 0170000) == 0100000)
