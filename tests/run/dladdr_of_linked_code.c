// dladdr called from linked code knows what is linked, and what is not.
//# Flags: -O0 | -O1 -fPIC | -O1 -fno-pic
//# NativeInputs: main.c other.c -rdynamic
//# Stdout: main main 1
//# Stdout: other other 1
//# Stdout: data data 1
//# Stdout: not local
//# Stdout: puts is elsewhere
//# Stdout: nowhere 0
//# File: main.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int other(void);
extern int data[8];
static int local(void) { return 1; }
static void show(const char *name, void *address, void *start) {
    Dl_info info;
    memset(&info, 0, sizeof info);
    if (!dladdr(address, &info)) {
        printf("%s has no image\n", name);
        return;
    }
    printf("%s %s %d\n", name, info.dli_sname ? info.dli_sname : "-",
           info.dli_saddr == start && info.dli_fname && info.dli_fbase && (char *)info.dli_fbase <= (char *)address);
}
int main(void) {
    Dl_info info, libc;
    show("main", (char *)main + 1, (void *)main);
    show("other", (void *)other, (void *)other);
    show("data", &data[5], data);
    if (dladdr((void *)local, &info) && (!info.dli_sname || strcmp(info.dli_sname, "local"))) puts("not local");
    if (dladdr(dlsym(RTLD_DEFAULT, "puts"), &libc) && dladdr((void *)main, &info) && libc.dli_fbase != info.dli_fbase)
        puts("puts is elsewhere");
    printf("nowhere %d\n", dladdr((void *)16, &info));
    return local() - 1;
}
//# File: other.c
int data[8] = {1};
int other(void) { return data[0]; }
