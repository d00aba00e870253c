// `exit` in a parallel region, while the other threads of the pool run linked code.
//# Compilers: gcc
//# Flags: -O2 -fopenmp -fPIC | -O2 -fopenmp -fno-pic
//# Inputs[x86_64]: -preload=/usr/lib/x86_64-linux-gnu/libgomp.so.1 exits.c
//# Inputs[aarch64]: -preload=/usr/lib/aarch64-linux-gnu/libgomp.so.1 exits.c
//# NativeInputs: exits.c -fopenmp
//# Repeat: 100
//# Repeat[aarch64]: 5
//# Stdout: handler
//# Status: 45
//# File: exits.c
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
static volatile int running;
static volatile unsigned long counts[64];
static void handler(void) { puts("handler"); }
int main(void) {
    atexit(handler);
#pragma omp parallel num_threads(4)
    {
        int self = omp_get_thread_num();
        __atomic_add_fetch(&running, 1, __ATOMIC_RELAXED);
        if (self == 0) {
            while (running < 4) {}
            exit(45);
        }
        for (;;)
            counts[8 * self]++;
    }
}
