// A library finds functions and variables of the dylib that it is given to.
//# Native: no
//# Shared: libback.so library.c
//# Inputs: -jd main libback.so main.c back.c
//# Stdout: program got 3
//# Stdout: 44 1
//# File: main.c
#include <stdio.h>
extern int counter;
void forth(int), back(int);
void *address(void);
int main(void) {
    forth(3);
    printf("%d %d\n", counter, address() == (void *)back);
    return 0;
}
//# File: back.c
#include <stdio.h>
int counter = 40;
void back(int n) { printf("program got %d\n", n); counter += n; }
//# File: library.c
//# FileFlags: -fPIC
extern int counter;
void back(int);
void forth(int n) { back(n); ++counter; }
void *address(void) { return (void *)back; }
