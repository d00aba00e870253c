#pragma once
#include <sys/types.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef NULL
#define NULL 0
#endif
#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
void *malloc(size_t), *calloc(size_t, size_t), *realloc(void *, size_t);
void free(void *), abort(void) __attribute__((noreturn)), exit(int) __attribute__((noreturn));
void _Exit(int) __attribute__((noreturn));
int atexit(void (*)(void)), atoi(const char *), abs(int), system(const char *), mkstemp(char *);
char *getenv(const char *);
double strtod(const char *, char **), atof(const char *);
long double strtold(const char *, char **);
long strtol(const char *, char **, int);
unsigned long strtoul(const char *, char **, int);
long long strtoll(const char *, char **, int);
unsigned long long strtoull(const char *, char **, int);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
void *bsearch(const void *, const void *, size_t, size_t, int (*)(const void *, const void *));
#ifdef __cplusplus
}
#endif
