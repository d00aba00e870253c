//# Flags: -O0 | -O2
// Darwin's jmp_buf is smaller than the host's: what stands next to it stays.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct {
    char before[16];
    jmp_buf buffer;
    char after[16];
} guarded;
static sigjmp_buf with_mask;

__attribute__((noinline)) static void jump(int depth, int value) {
    volatile char frame[100];
    frame[0] = 1;
    if (depth == 0)
        longjmp(guarded.buffer, value);
    jump(depth - 1, value);
    frame[1] = 2;
}

static void handle(int number) { siglongjmp(with_mask, number); }

int main(void) {
    memset(guarded.before, 'b', 16);
    memset(guarded.after, 'a', 16);
    volatile int round = 0;
    volatile double real = 1.5;
    int result = setjmp(guarded.buffer);
    printf("setjmp gave %d, %g\n", result, real);
    real *= 2;
    round = round + 1;
    if (round < 4)
        jump(10, round - 1);
    for (int i = 0; i < 16; i++)
        if (guarded.before[i] != 'b' || guarded.after[i] != 'a')
            return 1;
    round = 0;
    if (_setjmp(guarded.buffer) == 0)
        _longjmp(guarded.buffer, 5);
    else
        round = 100;
    printf("%d\n", round);
    volatile int tries = 0;
    result = sigsetjmp(with_mask, 1);
    printf("sigsetjmp gave %d\n", result);
    if (tries++ < 2)
        siglongjmp(with_mask, tries);
    // Out of a handler, while its signal is blocked: once more only if the mask is restored.
    signal(SIGTERM, handle);
    volatile int handled = 0;
    while (handled < 3) {
        if (sigsetjmp(with_mask, 1) == 0)
            raise(SIGTERM);
        printf("handled %d\n", ++handled);
    }
    return 0;
}
