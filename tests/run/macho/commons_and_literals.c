//# Flags: -O0 -fcommon | -O2 -fcommon
//# File: a.c
#include <stdio.h>
int common, table[10];
const char *other_text(void);
double other(void);
static const char *const texts[] = {"shared text", "own text", "", "tail of shared text"};
struct pair { const char *name; int *place; };
static struct pair pairs[] = {{"common", &common}, {"table", &table[3]}};
int main(void) {
    table[3] = 5;
    common += 2;
    printf("%g %d %d\n", other(), common, table[3]);
    for (int i = 0; i < 4; i++)
        printf("%s %d\n", texts[i], texts[i] == other_text());
    for (int i = 0; i < 2; i++)
        printf("%s %d\n", pairs[i].name, *pairs[i].place);
    float f = 0.1f;
    long double l = 1.0L / 3;
    printf("%g %d\n", f * 3.5, l > 0.3L);
    return 0;
}
//# File: b.c
extern int common;
int table[10], common;
const char *other_text(void) { return "shared text"; }
double other(void) { return (common = 40) * 0.5 + table[3] * 2.25; }
