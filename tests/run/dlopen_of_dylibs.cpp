// Dylibs opened, searched, closed and opened again by the program: as the shared libraries of a native build.
//# Flags: -O0 -fPIC | -O2 -fPIC
//# Inputs: main.cpp -jd ./libplugin.so plugin.cpp more.cpp
//# NativeInputs: main.cpp -ldl
//# Shared: libplugin.so plugin.cpp more.cpp
//# File: main.cpp
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>
static void *open() {
    void *plugin = dlopen("./libplugin.so", RTLD_NOW);
    std::printf("opened: %d\n", plugin != nullptr);
    if (!plugin) { std::puts(dlerror()); std::exit(1); }
    return plugin;
}
static int call(void *plugin, const char *name) {
    auto function = reinterpret_cast<int (*)()>(dlsym(plugin, name));
    return function ? function() : -1;
}
static void of_main() { std::puts("handler of main"); }
int main() {
    std::atexit(of_main);
    std::printf("not open: %d\n", dlopen("./libplugin.so", RTLD_NOW | RTLD_NOLOAD) == nullptr);
    for (int round = 0; round < 3; round++) {
        void *first = open(), *second = open();
        std::printf("same: %d, counts %d", first == second, call(first, "count"));
        std::printf(" %d, none: %d\n", call(second, "count"), call(second, "no_such_function"));
        std::printf("error: %d, told once: %d\n", dlerror() != nullptr, dlerror() == nullptr);
        std::printf("close: %d\n", dlclose(first));
        std::printf("still open: %d\n", call(second, "count"));
        std::thread([&] { std::printf("of thread: %d\n", call(second, "of_thread")); }).join();
        std::printf("close: %d\n", dlclose(second));
    }
    void *last = open();
    std::printf("register: %d\n", call(last, "register_handler"));
    std::puts("end of main");
}
//# File: plugin.cpp
#include "noisy.h"
Noisy first("first of plugin");
PAIR(plugin)
PAIR(plugin_101, (101))
PAIR(plugin_200, (200))
static int counter = 10;
static int zeros[5000];
thread_local int of_each_thread = 3;
extern "C" int count() { zeros[4999]++; return counter++ * 10 + zeros[4999]; }
extern "C" int of_thread() { return ++of_each_thread * 10 + zeros[4999]; }
static void handler() { std::puts("handler of plugin"); }
extern "C" int register_handler() { static Noisy local("local"); return std::atexit(handler); }
//# File: more.cpp
#include "noisy.h"
Noisy more("more");
PAIR(more)
PAIR(more_101, (101))
PAIR(more_300, (300))
//# File: noisy.h
#include <cstdio>
#include <cstdlib>
struct Noisy {
    const char *name;
    explicit Noisy(const char *name) : name(name) { std::printf("make %s\n", name); }
    ~Noisy() { std::printf("end %s\n", name); }
};
#define PAIR(name, ...)                                                                            \
    __attribute__((constructor __VA_ARGS__)) static void up_##name() { std::puts("up " #name); }   \
    __attribute__((destructor __VA_ARGS__)) static void down_##name() { std::puts("down " #name); }
