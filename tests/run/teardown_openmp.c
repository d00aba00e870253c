// A pool of OpenMP's threads is there when `main` returns, and works on linked code when `exit` is called in a parallel region.
//# Compilers: gcc
//# Flags: -O2 -fopenmp -fPIC | -O2 -fopenmp -fno-pic
//# Inputs[x86_64]: -preload=/usr/lib/x86_64-linux-gnu/libgomp.so.1 returns.c
//# Inputs[aarch64]: -preload=/usr/lib/aarch64-linux-gnu/libgomp.so.1 returns.c
//# NativeInputs: returns.c -fopenmp
//# Repeat: 100
//# Repeat[aarch64]: 5
//# Stdout: 499500 in 4 threads
//# Status: 44
//# File: returns.c
#include <omp.h>
#include <stdio.h>
int main(void) {
    long sum = 0;
    int threads = 0;
#pragma omp parallel num_threads(4) reduction(+ : sum)
    {
#pragma omp single
        threads = omp_get_num_threads();
#pragma omp for schedule(dynamic, 10)
        for (int i = 0; i < 1000; i++)
            sum += i;
    }
    printf("%ld in %d threads\n", sum, threads);
    return 44;
}
