// There is no dynamic section: a weak `_DYNAMIC` is null.
//# Flags: -fPIC | -fno-pic
//# Native: no
//# Stdout: null
#include <stdio.h>
extern char _DYNAMIC[] __attribute__((weak));
int main(void) {
    char *volatile dynamic = _DYNAMIC;
    puts(dynamic ? "set" : "null");
    return 0;
}
