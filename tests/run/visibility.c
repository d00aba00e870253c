// Hidden, internal and protected symbols are found across the objects of one image.
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic
//# Stdout: 1 2 3 4
//# File: a.c
#include <stdio.h>
__attribute__((visibility("hidden"))) extern int hidden_data;
__attribute__((visibility("hidden"))) int hidden_function(void);
__attribute__((visibility("internal"))) int internal_function(void);
__attribute__((visibility("protected"))) int protected_function(void);
int main(void) {
    printf("%d %d %d %d\n", hidden_data, hidden_function(), internal_function(), protected_function());
    return 0;
}
//# File: b.c
__attribute__((visibility("hidden"))) int hidden_data = 1;
__attribute__((visibility("hidden"))) int hidden_function(void) { return 2; }
__attribute__((visibility("internal"))) int internal_function(void) { return 3; }
__attribute__((visibility("protected"))) int protected_function(void) { return 4; }
