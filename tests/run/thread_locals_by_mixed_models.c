// One object relies on offsets from the thread pointer; what others do by general and local dynamic code and by descriptors is
// rewritten to match.
//# Compilers: clang | gcc
//# Flags: -O2 -fPIC | -O2 -fPIC -mtls-dialect=gnu2 | -O2 -fPIC -fno-plt
//# MoreFlags: -O0 -fPIC | -O0 -fPIC -mcmodel=large | -O2 -fPIC -mcmodel=large
//# Flags[aarch64]: -O2 -fPIC | -O0 -fPIC
//# MoreFlags[aarch64]: -O1 -fPIC
//# Stdout: 10 20 30 40 1
//# Stdout: 11 22 33 44 1
//# Stdout: 10 20 30 40 1
//# File: main.c
#include <pthread.h>
#include <stdio.h>
extern __thread int a, b;
int *address_of_a(void);
void local(int by, int *c, int *d);
static void *show(void *by) {
    int c, d, n = (int)(long)by;
    a += n, b += 2 * n;
    local(n, &c, &d);
    printf("%d %d %d %d %d\n", a, b, c, d, address_of_a() == &a);
    return 0;
}
int main(void) {
    pthread_t thread;
    show((void *)0);
    show((void *)1);
    pthread_create(&thread, 0, show, (void *)0);
    pthread_join(thread, 0);
    return 0;
}
//# File: local.c
//# FileFlags: -ftls-model=local-dynamic
static __thread int c = 30;
__thread int d __attribute__((visibility("hidden"))) = 40;
static __thread int zero;
void local(int by, int *out_c, int *out_d) {
    c += 3 * by, d += 4 * by, zero += by;
    *out_c = c + zero - zero, *out_d = d;
}
//# File: exec.c
//# FileFlags: -ftls-model=initial-exec
__thread int a = 10, b = 20;
int *address_of_a(void) { return &a; }
