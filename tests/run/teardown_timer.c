// A timer's handler, and signals that another thread sends, go on interrupting the program while it ends.
//# Flags: -O0 | -O2 -fno-pic
//# Repeat: 100
//# Repeat[aarch64]: 5
//# Stdout: leaving
//# Stdout: handler
//# Status: 43
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
static volatile unsigned long alarms, users;
static pthread_t main_thread;
static void on_alarm(int number) { alarms++; }
static void on_user(int number, siginfo_t *info, void *context) { users++; }
static void *send(void *argument) {
    for (;;) {
        pthread_kill(main_thread, SIGUSR1);
        usleep(20);
    }
}
static void end(void) {
    unsigned long before = alarms;
    while (alarms < before + 2) {}
    puts("handler");
}
int main(void) {
    struct sigaction action = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    action = (struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    atexit(end);
    main_thread = pthread_self();
    pthread_t thread;
    pthread_create(&thread, NULL, send, NULL);
    pthread_detach(thread);
    struct itimerval often = {{0, 50}, {0, 50}};
    setitimer(ITIMER_REAL, &often, NULL);
    while (!alarms || !users) {}
    puts("leaving");
    return 43;
}
