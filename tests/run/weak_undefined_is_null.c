// A weak symbol that nobody defines is null: as data, as a function, in an initialiser.
//# Flags: -O0 | -O2 | -O2 -fPIC | -O2 -fno-pic | -O2 -mcmodel=large -fno-pic
//# Stdout: null null null
#include <stdio.h>
extern int missing_function(void) __attribute__((weak));
extern int missing_data __attribute__((weak));
int (*in_data)(void) = missing_function;
int main(void) {
    int (*volatile function)(void) = missing_function;
    int *volatile data = &missing_data;
    if (missing_function)
        return missing_function();
    printf("%s %s %s\n", function ? "set" : "null", data ? "set" : "null", in_data ? "set" : "null");
    return 0;
}
