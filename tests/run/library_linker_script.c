// A text file in a library's place is a GNU linker script: GROUP, INPUT and AS_NEEDED name the real files.
//# Shared: libreal.so real.c
//# Archive: libextra.a extra.c
//# Inputs: main.c -L@DIR -lscript
//# Stdout: real extra 2.0
//# File: main.c
#include <math.h>
#include <stdio.h>
const char *real(void), *extra(void);
int main(void) {
    volatile double four = 4;
    printf("%s %s %.1f\n", real(), extra(), sqrt(four));
    return 0;
}
//# File: real.c
//# FileFlags: -fPIC
const char *real(void) { return "real"; }
//# File: extra.c
const char *extra(void) { return "extra"; }
//# File[x86_64]: libscript.so
/* GNU ld script
   with a comment */
OUTPUT_FORMAT(elf64-x86-64)
GROUP ( libreal.so AS_NEEDED ( /lib/x86_64-linux-gnu/libm.so.6 ) )
INPUT(libextra.a)
//# File[aarch64]: libscript.so
/* GNU ld script
   with a comment */
OUTPUT_FORMAT(elf64-littleaarch64)
GROUP ( libreal.so AS_NEEDED ( /lib/aarch64-linux-gnu/libm.so.6 ) )
INPUT(libextra.a)
