// Contexts with stacks of their own (`makecontext`, `swapcontext`): each runs linked code, and throws and catches in it.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Stdout: a0 b0 a1 b1 a2 b2 caught 6 in 2
#include <cstdio>
#include <stdexcept>
#include <ucontext.h>
static ucontext_t main_context, contexts[2];
static char stacks[2][1 << 16];
static int sum, ended;
static void __attribute__((noinline)) fail(int n) { throw n; }
static void run(int self) {
    for (int i = 0; i < 3; i++) {
        try { fail(i); } catch (int n) {
            std::printf("%c%d ", 'a' + self, n);
            sum += n;
        }
        swapcontext(&contexts[self], self ? &main_context : &contexts[1]);
    }
    ended++;
}
int main() {
    for (int i = 0; i < 2; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack = {stacks[i], 0, sizeof stacks[i]};
        contexts[i].uc_link = i ? &main_context : &contexts[1];
        makecontext(&contexts[i], (void (*)())run, 1, i);
    }
    for (int round = 0; round < 4; round++)
        swapcontext(&main_context, &contexts[0]);
    std::printf("caught %d in %d\n", sum, ended);
}
