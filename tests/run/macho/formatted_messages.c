//# Flags: -O0 | -O2
//# Status: 4
//# Stderr: careful: 1 2.5
//# Stderr: again: 3 4.5
//# Stderr: the end 6: No such file or directory
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int __snprintf_chk(char *, size_t, int, size_t, const char *, ...);
int __sprintf_chk(char *, int, size_t, const char *, ...);

static void again(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vwarnx(format, list);
    va_end(list);
}

static int scan(const char *text, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int count = vsscanf(text, format, list);
    va_end(list);
    return count;
}

int main(void) {
    char *made, text[32];
    printf("%d ", asprintf(&made, "%s-%Lg-%d", "made", (long double)0.5, 7));
    printf("%s\n", made);
    free(made);
    printf("%d ", __snprintf_chk(text, sizeof text, 0, sizeof text, "%d %g %Lg", 1, 2.5, (long double)3.5));
    printf("%s\n", text);
    printf("%d ", __sprintf_chk(text, 0, sizeof text, "%c%c", 'a', 'b'));
    printf("%s\n", text);
    int number;
    long double real;
    printf("%d ", scan("12 0.25", "%d%Lf", &number, &real));
    printf("%d %Lg\n", number, real);
    warnx("careful: %d %g", 1, 2.5);
    again("again: %d %Lg", 3, (long double)4.5);
    open("/nonexistent/file", O_RDONLY);
    err(4, "the end %d", 6);
}
