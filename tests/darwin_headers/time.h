#pragma once
#include <sys/types.h>
#define CLOCKS_PER_SEC 1000000ul
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 6
struct timespec {
    time_t tv_sec;
    long tv_nsec;
};
struct tm {
    int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
    long tm_gmtoff;
    char *tm_zone;
};
clock_t clock(void);
time_t time(time_t *), mktime(struct tm *);
double difftime(time_t, time_t);
struct tm *gmtime(const time_t *), *localtime(const time_t *), *gmtime_r(const time_t *, struct tm *),
    *localtime_r(const time_t *, struct tm *);
size_t strftime(char *, size_t, const char *, const struct tm *);
int clock_gettime(int, struct timespec *);
