// A library among the inputs finds the functions and variables of the program that it is linked with.
//# Flags: -O1 | -O1 -fPIC | -O1 -fno-pic
//# Shared: libback.so library.c
//# NativeInputs: main.c libback.so -rdynamic
//# Stdout: program got 3
//# Stdout: same function 1, same variable 1
//# Stdout: kept by the initialiser: program got 5
//# Stdout: counter 49
//# File: main.c
#include <stdio.h>
int counter = 40;
int array[4] = {1, 2, 3, 4};
void back(int n) { printf("program got %d\n", n); counter += n; }
void forth(int), call_kept(int);
void *address(int);
int *third(void);
int main(void) {
    forth(3);
    printf("same function %d, same variable %d\n", address(0) == (void *)back, address(1) == &counter && third() == &array[2]);
    printf("kept by the initialiser: ");
    call_kept(5);
    printf("counter %d\n", counter);
    return 0;
}
//# File: library.c
//# FileFlags: -fPIC
extern int counter, array[4];
void back(int);
static int *const pointer = &counter, *const inside = &array[2];
static void (*kept)(int);
__attribute__((constructor)) static void start(void) { kept = back; }
void forth(int n) { back(n); ++*pointer; }
void *address(int which) { return which ? (void *)&counter : (void *)back; }
int *third(void) { return inside; }
void call_kept(int n) { kept(n); }
