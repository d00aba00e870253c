// After `--` come the program's arguments; `argv` ends in a null pointer and the environment is there.
//# Args: one -two --three= -- four
//# Env: JITLINK_TEST_VALUE=here
//# Stdout: 6 [one] [-two] [--three=] [--] [four] null here
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv, char **envp) {
    printf("%d", argc);
    for (int i = 1; i < argc; i++)
        printf(" [%s]", argv[i]);
    const char *value = "absent";
    for (; *envp; envp++)
        if (!strncmp(*envp, "JITLINK_TEST_VALUE=", 19))
            value = *envp + 19;
    printf(" %s %s\n", argv[argc] ? "set" : "null", value == getenv("JITLINK_TEST_VALUE") ? value : "another");
    return 0;
}
