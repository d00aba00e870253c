// Exceptions pass through frames whose return addresses are signed, with either key, and land where branches are checked.
//# Arch: aarch64
//# Compilers: clang | gcc
//# Flags: -O2 -mbranch-protection=standard | -O0 -mbranch-protection=pac-ret+leaf+b-key -fno-pic
//# MoreFlags: -O0 -mbranch-protection=standard | -O2 -mbranch-protection=pac-ret+b-key | -O2 -mbranch-protection=bti -fno-pic
//# Stdout: unwound 3, caught 7 in order
//# File: main.cpp
#include <cstdio>
#include <algorithm>
int thrower(int level);
struct Guard {
    int *count;
    ~Guard() { ++*count; }
};
int unwound;
__attribute__((noinline)) int middle(int level) {
    Guard guard{&unwound};
    return thrower(level) + 1;
}
int main() {
    int values[] = {3, 1, 2};
    std::sort(values, values + 3, [](int a, int b) { return a < b; });
    try {
        middle(2);
    } catch (int caught) {
        std::printf("unwound %d, caught %d %s\n", unwound, caught, values[0] < values[2] ? "in order" : "in disorder");
    }
    return 0;
}
//# File: thrower.cpp
int middle(int level);
__attribute__((noinline)) int thrower(int level) {
    if (level == 0)
        throw 7;
    return middle(level - 1) * 2;
}
