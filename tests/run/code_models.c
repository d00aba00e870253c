// Calls, data, strings, constants and the C library in every code model, across two objects.
//# Compilers: clang | gcc
//# Flags: -O0 -mcmodel=large -fno-pic | -O2 -mcmodel=medium -fno-pic | -O2 -mcmodel=large -fPIC
//# MoreFlags: -O2 -mcmodel=small | -O2 -mcmodel=large -fno-pic | -O0 -mcmodel=medium -fPIC | -O0 -mcmodel=large -fPIC
//# Flags[aarch64]: -O0 -mcmodel=large -fno-pic | -O2 -mcmodel=tiny | -O0 -mcmodel=tiny -fno-pic
//# MoreFlags[aarch64]: -O2 -mcmodel=small | -O2 -mcmodel=large -fno-pic | -O2 -mcmodel=tiny -fno-pic | -O0 -fpic | -O2 -fPIC
//# Stdout: 7 2.500000 text 12 100 6 exported
//# File: a.c
#include <stdio.h>
#include <string.h>
extern int data;
extern const double constant;
extern const char *strings[];
extern char big[200000];
int call(int (*)(int), int);
static int local = 5;
static int callback(int n) { return n + local; }
__attribute__((visibility("hidden"))) extern int hidden;
int main(void) {
    big[150000] = 100;
    printf("%d %f %s %d %d %d %s\n", data, constant, strings[0], call(callback, 7), big[150000], hidden,
           strlen(strings[1]) == 8 ? strings[1] : "?");
    return 0;
}
//# File: b.c
int data = 7;
const double constant = 2.5;
static const char text[] = "text";
const char *strings[] = {text, "exported"};
char big[200000];
__attribute__((visibility("hidden"))) int hidden = 6;
int call(int (*function)(int), int n) { return function(n); }
