// Handlers in linked code: raised, timed, on an alternative stack, with information.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: SIGUSR1 with 42
//# Stdout: alarm on the other stack
//# Stdout: fault at the null page
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static sigjmp_buf back;
static volatile int value, rang;
static char stack[65536];
static volatile int on_stack;
static void user(int number, siginfo_t *info, void *context) { value = info->si_value.sival_int; }
static void ring(int number) {
    char here;
    on_stack = &here >= stack && &here < stack + sizeof stack;
    rang = 1;
}
static void fault(int number, siginfo_t *info, void *context) { siglongjmp(back, (unsigned long)info->si_addr < 4096 ? 1 : 2); }
int main(void) {
    struct sigaction action = {.sa_sigaction = user, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
    printf("SIGUSR1 with %d\n", value);
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    action = (struct sigaction){.sa_handler = ring, .sa_flags = SA_ONSTACK};
    sigaction(SIGALRM, &action, NULL);
    ualarm(1000, 0);
    while (!rang)
        usleep(100);
    printf("alarm on %s stack\n", on_stack ? "the other" : "the same");
    action = (struct sigaction){.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    int outcome = sigsetjmp(back, 1);
    if (!outcome)
        *(volatile int *)8 = 1;
    puts(outcome == 1 ? "fault at the null page" : "fault elsewhere");
    return 0;
}
