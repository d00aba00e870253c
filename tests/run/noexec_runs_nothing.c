// With `-noexec` everything is linked and nothing is run: no initialiser, no `main`.
//# Native: no
//# Inputs: -noexec noexec_runs_nothing.c
//# Status: 0
#include <stdio.h>
static const char *text = "";
__attribute__((constructor)) static void up(void) { puts("up"); }
int main(void) {
    puts(text);
    return 3;
}
