//# Flags: -O0 | -O2
// Arguments of every sort, variable in number, from one convention to the other.
#include <stdarg.h>
#include <stdio.h>

static void say(const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    vprintf(format, list);
    va_end(list);
    char text[200];
    int length = vsnprintf(text, sizeof text, format, again);
    va_end(again);
    printf("%d bytes: %s", length, text);
}

static double sum(int count, ...) {
    va_list list;
    va_start(list, count);
    double all = 0;
    for (int i = 0; i < count; i++)
        all += i % 3 == 0 ? va_arg(list, int) : i % 3 == 1 ? va_arg(list, double) : (double)va_arg(list, long double);
    va_end(list);
    return all;
}

int main(int argc, char **argv) {
    printf("hello, world\n");
    printf("%d %u %ld %lld %x %c %s %p\n", -1, 2u, -3l, 4ll, 0xabc, 'z', "text", (void *)0x1234);
    printf("%g %.3f %e %5.1f|%-8d|%08d|%*d|%.*s\n", 0.1, 2.0 / 3, 1e100, 3.14159, 42, 42, 6, 7, 3, "abcdef");
    printf("%Lf %.20Lg %d\n", (long double)1.5, (long double)1 / 4, 99);
    printf("%d %d %d %d %d %d %d %d %d %d %g %g\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11.5, 12.5);
    printf("%2$s %1$s %3$Lg\n", "one", "two", (long double)3);
    say("%s %d %g %Lg %c\n", "say", 1, 2.5, (long double)3.25, '!');
    printf("%g\n", sum(7, 1, 2.0, (long double)3, 4, 5.0, (long double)6, 7));
    char text[64];
    sprintf(text, "%d-%g", argc, 0.5);
    fprintf(stdout, "%s %s\n", text, argv[0] ? "named" : "nameless");
    int number = 0;
    double real = 0;
    long double longest = 0;
    float small = 0;
    char word[16];
    int count = sscanf("17 2.5 3.75 4.25 rest]", "%d %lf %Lf %f %15[^]]", &number, &real, &longest, &small, word);
    printf("%d: %d %g %Lg %g %s\n", count, number, real, longest, small, word);
    fflush(stdout);
    dprintf(1, "%s %d\n", "direct", 5);
    fprintf(stderr, "%d errors\n", 0);
    return 3;
}
