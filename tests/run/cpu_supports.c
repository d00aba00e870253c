// `__builtin_cpu_supports` reads data that compilers expect of libgcc's static part.
//# Compilers: clang | gcc
//# Compilers[aarch64]: clang
//# Flags: -O0 | -O2 -fno-pic
//# Native[aarch64]: no
//# Stdout[x86_64]: sse2 x86-64
//# Stdout[aarch64]: 1 1 1 1
//# File[x86_64]: main.c
#include <stdio.h>
int main(void) {
    __builtin_cpu_init();
    printf("%s %s\n", __builtin_cpu_supports("sse2") ? "sse2" : "nothing",
           __builtin_cpu_supports("cmov") ? "x86-64" : "nothing");
    printf("%s", __builtin_cpu_is("intel") && __builtin_cpu_is("amd") ? "both\n" : "");
    return 0;
}
//# File[aarch64]: main.c
#include <stdio.h>
#include <sys/auxv.h>
#define AGREES(name, word, bit) (!__builtin_cpu_supports(name) == !(getauxval(word) & (bit)))
int main(void) {
    printf("%d %d %d %d\n", AGREES("lse", AT_HWCAP, HWCAP_ATOMICS), AGREES("sve", AT_HWCAP, HWCAP_SVE),
           AGREES("rng", AT_HWCAP2, HWCAP2_RNG), __builtin_cpu_supports("fp") != 0);
    return 0;
}
