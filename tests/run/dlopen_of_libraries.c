// Libraries of the system, opened by the program: handles, symbols, versions, and what is said of errors.
//# Flags: -O0 | -O2 -fno-pic
//# Inputs: main.c
//# NativeInputs: main.c -ldl
//# File: main.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static void say(const char *what) {
    const char *error = dlerror();
    printf("%s: %s\n", what, error ? error : "no error");
}
static void *of_thread(void *unused) {
    say("in a thread");
    return unused;
}
int main(void) {
    void *math = dlopen("libm.so.6", RTLD_NOW), *again = dlopen("libm.so.6", RTLD_LAZY);
    say("opened");
    double (*square_root)(double) = (double (*)(double))dlsym(math, "sqrt");
    printf("%d %g\n", math == again, square_root(16));
    printf("%d\n", dlsym(math, "no_such_function") == NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, of_thread, NULL);
    pthread_join(thread, NULL);
    printf("%d\n", strstr(dlerror(), "undefined symbol: no_such_function") != NULL);
    say("told");
    printf("%d\n", dlopen("/no/such/library.so", RTLD_NOW) == NULL);
    say("not there");
    printf("%d\n", dlopen("libm.so.6", 0) == NULL);
    say("no mode");
    printf("%d %d\n", dlclose(math), dlclose(again));
    printf("%d\n", dlopen("libno_such.so.1", RTLD_NOW | RTLD_NOLOAD) == NULL);
    say("not loaded");
    printf("%d\n", dlsym(RTLD_DEFAULT, "strlen") != NULL);
    printf("%d\n", dlvsym(RTLD_DEFAULT, "strlen", "GLIBC_9.9") == NULL);
    printf("%d\n", dlerror() != NULL);
    void *program = dlopen(NULL, RTLD_NOW);
    printf("%d %d\n", program != NULL, dlsym(program, "strlen") != NULL);
    return dlclose(program);
}
