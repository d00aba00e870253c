// A backtrace from a handler on an alternative stack passes the signal's frame and the linked function that it interrupted.
//# Compilers: clang | gcc
//# Flags: -O0 -fasynchronous-unwind-tables | -O2 -fasynchronous-unwind-tables -fno-pic
//# Stdout: interrupted function seen, caller seen
#define _GNU_SOURCE
#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
static sigjmp_buf back;
static char stack[1 << 16];
static int seen_inner, seen_outer;
__attribute__((noinline)) int faulty(volatile int *place) { return *place + 1; }
__attribute__((noinline)) int calls(volatile int *place) { return faulty(place) + 1; }
static void fault(int number, siginfo_t *info, void *context) {
    void *frames[64];
    int count = backtrace(frames, 64);
    for (int i = 0; i < count; i++) {
        uintptr_t at = (uintptr_t)frames[i];
        seen_inner |= at >= (uintptr_t)faulty && at < (uintptr_t)faulty + 64;
        seen_outer |= at >= (uintptr_t)calls && at < (uintptr_t)calls + 64;
    }
    siglongjmp(back, 1);
}
int main(void) {
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    if (!sigsetjmp(back, 1))
        calls(NULL);
    printf("interrupted function %s, caller %s\n", seen_inner ? "seen" : "missed", seen_outer ? "seen" : "missed");
    return 0;
}
