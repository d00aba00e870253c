//# Flags: -O1
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int seen[3];
static void handle(int number) { seen[number == SIGUSR1 ? 0 : number == SIGUSR2 ? 1 : 2]++; }
int main(void) {
    printf("%d\n", signal(SIGUSR1, handle) == SIG_DFL);
    signal(SIGUSR2, handle);
    signal(SIGTERM, handle);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    raise(SIGTERM);
    raise(SIGUSR1);
    printf("%d %d %d\n", seen[0], seen[1], seen[2]);
    printf("%d %d\n", signal(SIGUSR1, SIG_IGN) == handle, signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    raise(SIGCHLD);
    printf("%d\n", signal(SIGBUS, handle) != SIG_ERR);
    return 0;
}
