//# Flags: -O0 | -O2
#include <stdio.h>
__attribute__((noinline)) static long large(int depth) {
    volatile unsigned char frame[70000];
    for (int i = 0; i < 70000; i += 1000)
        frame[i] = (unsigned char)depth;
    long below = depth ? large(depth - 1) : 0;
    long sum = 0;
    for (int i = 0; i < 70000; i += 1000)
        sum += frame[i];
    return sum + below;
}
int main(void) {
    printf("%ld\n", large(20));
    return 0;
}
