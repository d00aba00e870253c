// After `-args`, as in llvm-jitlink, `argv` is exactly what follows.
//# Native: no
//# Inputs: arguments_exactly.c -args zero one -two
//# Stdout: 3 [zero] [one] [-two]
#include <stdio.h>
int main(int argc, char **argv) {
    printf("%d", argc);
    for (int i = 0; i < argc; i++)
        printf(" [%s]", argv[i]);
    printf("\n");
    return 0;
}
