// A thread calls `exit` while `main` waits, and others throw and catch, make thread-locals, and end.
//# Compilers: clang | gcc
//# Flags: -O2 | -O2 -fno-pic
//# Repeat: 100
//# Repeat[aarch64]: 5
//# Stdout: bye
//# Status: 42
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
static std::atomic<int> ready;
struct Counted {
    std::string text;
    ~Counted() { text.clear(); }
};
static thread_local Counted counted;
static void __attribute__((noinline)) fail(int n) {
    if (n % 3)
        throw std::runtime_error(std::to_string(n));
}
static void throws() {
    for (int n = 0;; n++) {
        try { fail(n); } catch (const std::exception &error) { counted.text = error.what(); }
        if (n == 5)
            ++ready;
    }
}
static void makes_threads() {
    for (;;) {
        std::thread([] { counted.text = "short-lived, but long enough for the heap"; }).join();
        ++ready;
    }
}
int main() {
    for (int i = 0; i < 2; i++)
        std::thread(throws).detach();
    std::thread(makes_threads).detach();
    std::thread([] {
        while (ready < 4)
            usleep(10);
        std::puts("bye");
        std::exit(42);
    }).detach();
    for (;;)
        pause();
}
