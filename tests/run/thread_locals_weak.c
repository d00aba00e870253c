// A weak definition gives way, a weak reference that nothing defines has the null address.
//# Compilers: clang | gcc
//# Flags: -O0 -fPIC | -O2 -fPIC | -O2 -fPIC -mtls-dialect=gnu2
//# Flags[aarch64]: -O0 -fPIC | -O2 -fPIC
//# Native: no
//# Stdout: 2 1
//# File: main.c
#include <stdio.h>
extern __thread int defined, missing __attribute__((weak));
__thread int overridden __attribute__((weak)) = 1;
int main(void) {
    int *volatile address = &missing;
    printf("%d %d\n", overridden, address == 0);
    return 0;
}
//# File: other.c
__thread int overridden = 2;
