// The C library calls back into linked code: qsort, bsearch, nested functions of comparison.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 1 2 3 5 8 13 at 4
#include <stdio.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(void) {
    int values[] = {8, 3, 13, 1, 5, 2}, key = 8;
    qsort(values, 6, sizeof *values, compare);
    for (int i = 0; i < 6; i++)
        printf("%d ", values[i]);
    int *found = bsearch(&key, values, 6, sizeof *values, compare);
    printf("at %d\n", (int)(found - values));
    return 0;
}
