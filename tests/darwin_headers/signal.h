#pragma once
#include <sys/types.h>
typedef int sig_atomic_t;
#define SIGINT 2
#define SIGSEGV 11
#define SIGTERM 15
#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
void (*signal(int, void (*)(int)))(int);
int raise(int);
