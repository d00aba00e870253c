// Equal floating-point and vector constants of different objects, read through merged constant sections.
//# Flags: -O2 | -O2 -fno-pic | -O2 -mcmodel=large -fno-pic
//# Stdout: 5.850000 4.500000 3 5
//# File: a.c
#include <stdio.h>
double scale(double);
float scalef(float);
typedef int v4 __attribute__((vector_size(16)));
v4 shift(v4);
int main(void) {
    v4 v = shift((v4){1, 2, 3, 4});
    printf("%f %f %d %d\n", scale(1.0) * 1.5, scalef(2.0f) * 1.5f, v[0], v[2]);
    return 0;
}
//# File: b.c
typedef int v4 __attribute__((vector_size(16)));
double scale(double x) { return x * 3.9; }
float scalef(float x) { return x * 1.5f; }
v4 shift(v4 v) { return v + (v4){2, 2, 2, 2}; }
