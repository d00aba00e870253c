// Entries of .init_array are called with argc, argv and envp.
//# Args: one two
//# Env: JITLINK_TEST_VALUE=here
//# Stdout: 3 two here
#include <stdio.h>
#include <string.h>
__attribute__((constructor)) static void before(int argc, char **argv, char **envp) {
    const char *found = "absent";
    for (; *envp; envp++)
        if (!strncmp(*envp, "JITLINK_TEST_VALUE=", 19))
            found = *envp + 19;
    printf("%d %s %s\n", argc, argv[argc - 1], found);
}
int main(void) { return 0; }
