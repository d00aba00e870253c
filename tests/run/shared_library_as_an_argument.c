// A shared library as a plain argument: functions, data, a callback into linked code, its own constructor.
//# Flags: -O0 -fPIC | -O2 -fno-pic
//# Shared: libx.so library.c
//# Stdout: library up
//# Stdout: 5 6 called with 9
//# File: main.c
#include <stdio.h>
extern int library_data;
int library_function(int);
void library_call(void (*)(int), int);
static void callback(int n) { printf("called with %d\n", n); }
int main(void) {
    printf("%d %d ", library_data, library_function(1));
    library_call(callback, 9);
    return 0;
}
//# File: library.c
//# FileFlags: -fPIC
#include <stdio.h>
int library_data = 5;
__attribute__((constructor)) static void up(void) { puts("library up"); }
int library_function(int n) { return library_data + n; }
void library_call(void (*function)(int), int n) { function(n); }
