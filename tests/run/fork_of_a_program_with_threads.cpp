// Children of a program with threads throw and catch, start threads of their own, and end by `exit`. (The emulator cannot
// start threads in such a child.)
//# Arch: x86_64
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: child caught thrown 1
//# Stdout: thread of child caught thrown 10
//# Stdout: handler of 1
//# Stdout: ended with 5
//# Stdout: parent caught thrown 9
//# Stdout: handler of 0
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
static int self;
static void __attribute__((noinline)) fail(int n) { throw std::runtime_error("thrown " + std::to_string(n)); }
static void caught(const char *who, int n) {
    try { fail(n); } catch (const std::exception &error) { std::printf("%s caught %s\n", who, error.what()); }
}
int main() {
    std::atexit([] { std::printf("handler of %d\n", self); });
    std::thread([] { try { fail(0); } catch (...) {} }).join();
    std::thread([] { for (;;) pause(); }).detach();
    if (pid_t pid = fork()) {
        int status;
        waitpid(pid, &status, 0);
        std::printf("ended with %d\n", WEXITSTATUS(status));
    } else {
        self = 1;
        caught("child", 1);
        std::thread([] { caught("thread of child", 10); }).join();
        std::exit(5);
    }
    caught("parent", 9);
}
