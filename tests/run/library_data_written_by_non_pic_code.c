// What non-PIC code writes to the C library's data, the library sees.
//# Flags: -O0 -fno-pic | -O2 -fno-pic
//# Args: -a -z -a
//# Stdout: aa
//# Stdout: once more: aa
//# Stdout: only one
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
    opterr = 0;
    for (int option; (option = getopt(argc, argv, "a")) != -1;)
        if (option != '?')
            putchar(option);
    printf("\nonce more: ");
    optind = 1;
    for (int option; (option = getopt(argc, argv, "a")) != -1;)
        if (option != '?')
            putchar(option);
    static char *mine[] = {"ONLY=only one", NULL};
    environ = mine;
    printf("\n%s\n", getenv("ONLY"));
    return 0;
}
