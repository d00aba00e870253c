#pragma once
#include <stdarg.h>
void err(int, const char *, ...) __attribute__((noreturn));
void errx(int, const char *, ...) __attribute__((noreturn));
void warn(const char *, ...);
void warnx(const char *, ...);
void vwarnx(const char *, va_list);
