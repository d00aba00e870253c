// Relocations in the compact CREL format.
//# Flags: -O0 -Wa,--crel,--allow-experimental-crel | -O2 -fno-pic -Wa,--crel,--allow-experimental-crel
//# Native: no
//# Stdout: 7 text second
#include <stdio.h>
static int value = 7;
static const char *const strings[] = {"first", "second"};
int *pointer = &value;
int main(void) {
    printf("%d %s %s\n", *pointer, "text", strings[1]);
    return 0;
}
