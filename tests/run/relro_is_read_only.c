// Constant data with addresses in it, code and read-only data cannot be written once the program runs.
//# Flags: -O1 -fPIC | -O1 -fno-pic
//# Stdout: relro SIGSEGV
//# Stdout: rodata SIGSEGV
//# Stdout: text SIGSEGV
//# Stdout: data written
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static const char *const table[] = {"a", "b"};
static const char *const *volatile relro = table;
static const int constants[4] = {1, 2, 3, 4};
static int variables[4] = {1, 2, 3, 4};
static sigjmp_buf back;
static void caught(int signal) { siglongjmp(back, signal); }
static void attempt(const char *name, volatile char *where) {
    if (sigsetjmp(back, 1)) {
        printf("%s SIGSEGV\n", name);
        return;
    }
    *where = *where;
    printf("%s written\n", name);
}
int main(void) {
    signal(SIGSEGV, caught);
    attempt("relro", (char *)relro);
    attempt("rodata", (char *)constants);
    attempt("text", (char *)main);
    attempt("data", (char *)variables);
    return 0;
}
