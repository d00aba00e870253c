// Dynamic models take variables of any size and alignment. (A program with an alignment of 64 KiB does not even start here.)
//# Compilers: clang | gcc
//# Flags: -O0 -fPIC | -O2 -fPIC -mtls-dialect=gnu2
//# Flags[aarch64]: -O0 -fPIC | -O2 -fPIC
//# Native: no
//# Stdout: 0 0 0 7 0 1
//# Stdout: 0 0 0 7 0 1
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
__thread char large[1 << 20];
__thread char page[10] __attribute__((aligned(4096)));
__thread char pages[10] __attribute__((aligned(65536)));
__thread int initial __attribute__((aligned(512))) = 7;
static void *show(void *unused) {
    int sum = 0;
    for (int i = 0; i < 1 << 20; i++) sum += large[i];
    large[(1 << 20) - 1] = 1;
    printf("%d %d %d %d %d %d\n", (int)((uintptr_t)page % 4096), (int)((uintptr_t)pages % 65536),
        (int)((uintptr_t)&initial % 512), initial, sum, large[(1 << 20) - 1]);
    initial = 8;
    return unused;
}
int main(void) {
    pthread_t thread;
    show(0);
    pthread_create(&thread, 0, show, 0);
    pthread_join(thread, 0);
    return 0;
}
