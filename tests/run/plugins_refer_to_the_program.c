// A library that the program opens finds the program's functions and variables.
//# Flags: -O1 | -O1 -fPIC | -O1 -fno-pic
//# Shared: libplugin.so plugin.c
//# Inputs: main.c
//# Args: ./libplugin.so
//# NativeInputs: main.c -rdynamic
//# Stdout: host got 3
//# Stdout: same function 1, same variable 1, weak 1
//# Stdout: counter 44, from the pointer 44
//# Stdout: hidden is not found
//# File: main.c
#include <dlfcn.h>
#include <stdio.h>
int counter = 40;
int array[4] = {1, 2, 3, 4};
void host_call(int n) { printf("host got %d\n", n); counter += n; }
int weak_in_plugin(void) { return 1; }
__attribute__((visibility("hidden"))) int hidden_in_program(void) { return 1; }
int main(int argc, char **argv) {
    void *plugin = dlopen(argv[1], RTLD_NOW);
    if (!plugin) return puts(dlerror()), 1;
    int (*run)(int) = (int (*)(int))dlsym(plugin, "run");
    void *(*address)(int) = (void *(*)(int))dlsym(plugin, "address");
    int *(*third)(void) = (int *(*)(void))dlsym(plugin, "third");
    int (*weak)(void) = (int (*)(void))dlsym(plugin, "weak");
    int after = run(3);
    printf("same function %d, same variable %d, weak %d\n", address(0) == (void *)host_call,
           address(1) == &counter && third() == &array[2], weak());
    printf("counter %d, from the pointer %d\n", counter, after);
    int (*hidden)(void) = (int (*)(void))dlsym(plugin, "hidden");
    if (!hidden()) puts("hidden is not found");
    return 0;
}
//# File: plugin.c
//# FileFlags: -fPIC
extern int counter, array[4];
void host_call(int);
int weak_in_plugin(void) __attribute__((weak)), hidden_in_program(void) __attribute__((weak));
static int *const pointer = &counter, *const inside = &array[2];
int run(int n) { host_call(n); ++counter; return *pointer; }
void *address(int which) { return which ? (void *)&counter : (void *)host_call; }
int *third(void) { return inside; }
int weak(void) { return weak_in_plugin ? weak_in_plugin() : 0; }
int hidden(void) { return hidden_in_program != 0; }
