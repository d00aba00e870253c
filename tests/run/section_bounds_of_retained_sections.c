// Sections marked `retain` (SHF_GNU_RETAIN) stay although only their bounds are used.
//# Flags: -O2 -fdata-sections -ffunction-sections
//# Stdout: 2 functions: 5 6
//# File: a.c
#include <stdio.h>
typedef int function(void);
extern function *const __start_hooks[], *const __stop_hooks[];
int main(void) {
    printf("%d functions:", (int)(__stop_hooks - __start_hooks));
    for (function *const *hook = __start_hooks; hook != __stop_hooks; hook++)
        printf(" %d", (*hook)());
    printf("\n");
    return 0;
}
//# File: b.c
static int five(void) { return 5; }
static int six(void) { return 6; }
__attribute__((section("hooks"), used, retain)) static int (*const hook_5)(void) = five;
__attribute__((section("hooks"), used, retain)) static int (*const hook_6)(void) = six;
