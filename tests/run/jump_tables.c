// A dense switch becomes a table of addresses or distances; static data can hold addresses of labels.
//# Compilers: clang | gcc
//# Flags: -O2 | -O2 -fno-pic | -O0 -mcmodel=large -fno-pic
//# MoreFlags: -O2 -fPIC | -O2 -ffunction-sections -fdata-sections | -O2 -mcmodel=large -fPIC | -O1 -mcmodel=medium
//# MoreFlags[aarch64]: -O2 -fPIC | -O2 -ffunction-sections -fdata-sections | -O1 -mcmodel=tiny
//# Stdout: zero one four nine none
//# Stdout: 8
#include <stdio.h>
void print(const char *);
void print(const char *text) { printf("%s", text); }
__attribute__((noinline)) static int name(int n) {
    switch (n) {
    case 0: print("zero "); return 3;
    case 1: print("one "); return 1;
    case 2: print("two "); break;
    case 3: print("three "); return 7;
    case 4: print("four "); break;
    case 5: print("five "); return 11;
    case 6: print("six "); break;
    case 7: print("seven "); return 2;
    case 8: print("eight "); break;
    case 9: print("nine "); return 21;
    default: print("none\n");
    }
    return 5;
}
static int machine(const char *program) {
    static const void *const labels[] = {&&add, &&twice, &&stop};
    int value = 0;
    goto *labels[(int)*program++];
add:
    value++;
    goto *labels[(int)*program++];
twice:
    value *= 2;
    goto *labels[(int)*program++];
stop:
    return value;
}
int main(void) {
    volatile int sum = name(0) + name(1) + name(4) + name(9) + name(77);
    printf("%d\n", machine("\0\1\1\1\2"));
    return sum != 35;
}
