// `argv[0]` is the first input's name, and without `--` there is nothing else.
//# Native: no
//# Stdout: 1 main.o null
//# File: main.c
#include <stdio.h>
#include <string.h>
int helper(int);
int main(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    printf("%d %s %s\n", helper(argc), slash ? slash + 1 : argv[0], argv[argc] ? "set" : "null");
    return 0;
}
//# File: helper.c
int helper(int n) { return n; }
