//# Native: no
//# Status: 134
//# Stderr: Assertion failed: (x == 1), function check, file
#include <assert.h>
static void check(int x) { assert(x == 1); }
int main(int argc, char **argv) {
    check(1);
    check(argc + 1);
    return 0;
}
