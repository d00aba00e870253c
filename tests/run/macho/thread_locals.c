//# Flags: -O0 | -O2
//# File: main.c
#include <pthread.h>
#include <stdio.h>
extern __thread int counter;
extern __thread char zeros[1000];
static __thread long aligned __attribute__((aligned(64))) = 5;
static __thread int unused = 1;
int *address_of_counter(void);
int bump(int);

static void *thread(void *argument) {
    long number = (long)argument;
    for (int i = 0; i < 1000; i++)
        bump((int)number), zeros[i] += (char)number, aligned++;
    long sum = 0;
    for (int i = 0; i < 1000; i++)
        sum += zeros[i];
    int ok = address_of_counter() == &counter && (long)&aligned % 64 == 0;
    return (void *)(counter * 1000000l + sum * 10 + aligned + ok * 1000000000000l);
}

// Floating point values live across the access: the thunk keeps all registers.
static double keeps(double a, double b, double c, double d) {
    return a * 1 + b * 2 + c * 3 + d * 4 + counter + a * b * c * d;
}

int main(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], 0, thread, (void *)(i + 1));
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)result);
    }
    printf("%d %d %ld %d %g\n", counter, zeros[999], aligned, unused, keeps(1.5, 2.5, 3.5, 4.5));
    return 0;
}
//# File: other.c
__thread int counter = 40;
__thread char zeros[1000];
int *address_of_counter(void) { return &counter; }
int bump(int by) { return counter += by; }
