// A child of linked code runs linked code, with its own copy of the data.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: child 2
//# Stdout: parent 1 7
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int value = 1, zero;
int main(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        value++, zero++;
        printf("child %d\n", value + zero - 1);
        exit(7);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("parent %d %d\n", value + zero, WEXITSTATUS(status));
    return 0;
}
