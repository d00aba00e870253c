// Jumping into data ends in SIGSEGV.
//# Stdout: SIGSEGV
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static unsigned char code[] = {0xc3};
static sigjmp_buf back;
static void caught(int signal) { siglongjmp(back, signal); }
int main(void) {
    signal(SIGSEGV, caught);
    if (sigsetjmp(back, 1)) {
        puts("SIGSEGV");
        return 0;
    }
    void (*volatile function)(void) = (void (*)(void))code;
    function();
    puts("executed");
    return 0;
}
