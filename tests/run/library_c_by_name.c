// Debian's `libc.so` is a linker script that names the shared library, its static part and the loader.
//# Inputs: -search-sys-lib library_c_by_name.c -lc -lm
//# NativeInputs: library_c_by_name.c -lc -lm
//# Stdout: 3 1.0
#include <math.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    volatile double zero = 0;
    printf("%d %.1f\n", (int)strlen("abc"), cos(zero));
    return 0;
}
