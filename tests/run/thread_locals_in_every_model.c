// Thread-local variables with and without initial contents, of this object and another, by every model of access.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -fPIC -mtls-dialect=gnu2 | -O2 -fPIC -ftls-model=local-dynamic | -O2 -fPIC -ftls-model=initial-exec
//# MoreFlags: -O2 | -O0 -fPIC | -O0 -fPIC -mtls-dialect=gnu2 | -O2 -ftls-model=local-exec | -O2 -fPIC -fno-plt | -O2 -fPIC -mcmodel=large | -O2 -fPIC -mcmodel=large -ftls-model=local-dynamic | -O2 -fPIC -mtls-dialect=gnu2 -ftls-model=local-dynamic | -O1 -g -fPIC
//# Flags[aarch64]: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -fPIC -ftls-model=local-dynamic | -O2 -fPIC -ftls-model=initial-exec
//# MoreFlags[aarch64]: -O2 | -O0 -fPIC | -O2 -ftls-model=local-exec | -O2 -mtls-size=12 -fno-pic | -O2 -mtls-size=32 -fno-pic | -O1 -g -fPIC
//# File: main.c
#include <pthread.h>
#include <stdio.h>
#include <stdint.h>
extern __thread int shared;
extern __thread char big[4096];
__thread int own = 5;
static __thread long hidden = 7, zero;
static __thread struct { int a; char *p; } with_pointer = { 3, "text" };
__thread char aligned[3] __attribute__((aligned(64))) = "ab";
extern __thread int missing __attribute__((weak));
int *address_of_shared(void);
static int *hidden_address(void) { hidden++; return (int *)&hidden; }
static void show(const char *who) {
    own++; shared += 2; zero += 3; big[4095]++; big[0] = 1; aligned[0]++;
    printf("%s %d %d %ld %ld %d %d %s %d %d %d %d\n", who, own, shared, hidden, zero, big[4095], big[1], with_pointer.p, with_pointer.a++,
        aligned[0], (int)((uintptr_t)aligned % 64), address_of_shared() == &shared);
    *hidden_address() += 10;
}
static void *run(void *name) { show(name); show(name); return 0; }
int main(void) {
    show("main");
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) { pthread_create(&threads[i], 0, run, i ? "b" : "a"); pthread_join(threads[i], 0); }
    show("main");
    return 0;
}
//# File: other.c
__thread int shared = 40;
__thread char big[4096];
int *address_of_shared(void) { shared++; return &shared; }
