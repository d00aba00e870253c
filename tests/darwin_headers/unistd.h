#pragma once
#include <sys/types.h>
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define _SC_PAGESIZE 29
int close(int), isatty(int), unlink(const char *), usleep(unsigned);
ssize_t read(int, void *, size_t), write(int, const void *, size_t);
off_t lseek(int, off_t, int);
pid_t getpid(void);
long sysconf(int);
