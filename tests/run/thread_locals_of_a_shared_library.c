// Thread-local variables of a shared library, by every model of access.
//# Compilers: clang | gcc
//# Flags: -O2 -fPIC | -O2 | -O2 -fPIC -mtls-dialect=gnu2 | -O0 -fPIC -ftls-model=initial-exec
//# MoreFlags: -O0 -fPIC | -O0 -fno-pic
//# Flags[aarch64]: -O2 -fPIC | -O2 | -O0 -fPIC -ftls-model=initial-exec
//# MoreFlags[aarch64]: -O0 -fPIC | -O0 -fno-pic
//# Shared: libx.so library.c
//# Stdout: 6 6 100
//# Stdout: 6 6 100
//# Stdout: 7 7 101
//# File: main.c
#include <pthread.h>
#include <stdio.h>
extern __thread int variable, other;
int *address(void);
static __thread int own = 99;
static void *show(void *unused) {
    variable++, own++;
    printf("%d %d %d\n", variable, *address(), own);
    return unused;
}
int main(void) {
    pthread_t thread;
    show(0);
    pthread_create(&thread, 0, show, 0);
    pthread_join(thread, 0);
    show(0);
    return 0;
}
//# File: library.c
//# FileFlags: -fPIC
__thread int variable = 5;
int *address(void) { return &variable; }
