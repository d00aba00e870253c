// `__builtin_cpu_supports` reads `__cpu_model`, which compilers expect of libgcc's static part.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: sse2 x86-64
#include <stdio.h>
int main(void) {
    __builtin_cpu_init();
    printf("%s %s\n", __builtin_cpu_supports("sse2") ? "sse2" : "nothing",
           __builtin_cpu_supports("cmov") ? "x86-64" : "nothing");
    printf("%s", __builtin_cpu_is("intel") && __builtin_cpu_is("amd") ? "both\n" : "");
    return 0;
}
