// `-phony-externals` gives what is undefined the address null.
//# Native: no
//# Inputs: -phony-externals phony_externals.c
//# Stdout: null
#include <stdio.h>
int undefined_elsewhere(void);
int main(void) {
    int (*volatile pointer)(void) = undefined_elsewhere;
    puts(pointer ? "set" : "null");
    return 0;
}
