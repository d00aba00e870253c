// A smashed stack is found: `__stack_chk_fail` says so and aborts.
//# Compilers: clang | gcc
//# Flags: -O0 -fstack-protector-all | -O2 -fstack-protector-all -fno-pic
//# Stdout: before
//# Stderr: *** stack smashing detected ***: terminated
//# Status: 134
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
static volatile int size = 64;
__attribute__((noinline)) static int smash(char byte) {
    char buffer[16];
    memset(buffer, byte, size);
    return buffer[3];
}
int main(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    puts("before");
    fflush(stdout);
    return smash('x');
}
