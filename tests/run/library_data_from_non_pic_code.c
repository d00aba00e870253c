// Data of the C library used by non-PIC code (where a static linker makes copy relocations): both sides see the same.
//# Flags: -O0 -fno-pic | -O2 -fno-pic
//# MoreFlags: -O2 -fPIC | -O0 -mcmodel=large -fno-pic
//# Args: -a -b value rest
//# Stdout: to stdout
//# Stdout: set here
//# Stdout: a b=value rest 1
//# Stdout: same
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static FILE *const *const in_data = (FILE *const *)&stdout;
int main(int argc, char **argv) {
    fprintf(stdout, "to stdout\n");
    fputs("", stderr);
    setenv("JITLINK_ADDED", "set here", 1);
    for (char **variable = environ; *variable; variable++)
        if (!strncmp(*variable, "JITLINK_ADDED=", 14))
            puts(*variable + 14);
    for (int option; (option = getopt(argc, argv, "ab:")) != -1;)
        printf(option == 'b' ? "%c=%s " : "%c ", option, optarg);
    printf("%s %d\n", argv[optind], opterr);
    puts(*in_data == stdout ? "same" : "different");
    return 0;
}
