#pragma once
#include <sys/types.h>
typedef int sig_atomic_t;
#define SIGINT 2
#define SIGBUS 10
#define SIGSEGV 11
#define SIGTERM 15
#define SIGCHLD 20
#define SIGUSR1 30
#define SIGUSR2 31
#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
void (*signal(int, void (*)(int)))(int);
#define SIG_ERR ((void (*)(int))-1)
int raise(int), kill(pid_t, int);
