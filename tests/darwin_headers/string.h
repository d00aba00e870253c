#pragma once
#include <sys/types.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef NULL
#define NULL 0
#endif
void *memcpy(void *, const void *, size_t), *memmove(void *, const void *, size_t), *memset(void *, int, size_t);
void *memchr(const void *, int, size_t);
int memcmp(const void *, const void *, size_t), strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t), strcoll(const char *, const char *);
size_t strlen(const char *), strspn(const char *, const char *), strcspn(const char *, const char *);
char *strcpy(char *, const char *), *strncpy(char *, const char *, size_t), *strcat(char *, const char *);
char *strchr(const char *, int), *strrchr(const char *, int), *strpbrk(const char *, const char *);
char *strstr(const char *, const char *), *strerror(int), *strdup(const char *);
size_t strlcpy(char *, const char *, size_t), strlcat(char *, const char *, size_t);
int strerror_r(int, char *, size_t);
void bzero(void *, size_t);
void memset_pattern4(void *, const void *, size_t), memset_pattern8(void *, const void *, size_t);
void memset_pattern16(void *, const void *, size_t);
#ifdef __cplusplus
}
#endif
