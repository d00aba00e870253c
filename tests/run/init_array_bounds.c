// The `__init_array_start` family encloses this image's arrays.
//# Flags: -O0 | -O2 -fno-pic
//# Native: no
//# Stdout: constructor
//# Stdout: 1 1 0 found
#include <stdio.h>
typedef void function(void);
extern function *__init_array_start[], *__init_array_end[], *__fini_array_start[], *__fini_array_end[],
    *__preinit_array_start[], *__preinit_array_end[];
static volatile int done;
__attribute__((constructor)) static void up(void) { puts("constructor"); }
__attribute__((destructor)) static void down(void) { done = 1; }
int main(void) {
    int found = 0;
    for (function **entry = __init_array_start; entry != __init_array_end; entry++)
        found |= *entry == up;
    printf("%d %d %d %s\n", (int)(__init_array_end - __init_array_start), (int)(__fini_array_end - __fini_array_start),
           (int)(__preinit_array_end - __preinit_array_start), found ? "found" : "lost");
    return 0;
}
