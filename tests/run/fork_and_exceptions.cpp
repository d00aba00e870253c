// Children throw and catch, and end by `exit`, `_exit` and an exception that nobody catches; so do children of a program that
// has thrown before.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Stdout: child caught thrown 1
//# Stdout: handler of 1
//# Stdout: exit: 3
//# Stdout: child caught thrown 2
//# Stdout: _exit: 4
//# Stdout: child caught thrown 3
//# Stdout: handler of 3
//# Stdout: exit again: 5
//# Stdout: uncaught: signal 6
//# Stdout: parent caught thrown 9
//# Stdout: handler of 0
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static int self;
static void __attribute__((noinline)) fail(int n) { throw std::runtime_error("thrown " + std::to_string(n)); }
static void caught(const char *who, int n) {
    try { fail(n); } catch (const std::exception &error) { std::printf("%s caught %s\n", who, error.what()); }
}
static void handler() { std::printf("handler of %d\n", self); }
template <class F> static void child(const char *how, F body) {
    std::fflush(stdout);
    if (pid_t pid = fork()) {
        int status;
        waitpid(pid, &status, 0);
        if (WIFSIGNALED(status))
            std::printf("%s: signal %d\n", how, WTERMSIG(status));
        else
            std::printf("%s: %d\n", how, WEXITSTATUS(status));
        return;
    }
    body();
    std::abort();
}
int main() {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    std::atexit(handler);
    child("exit", [] { self = 1; caught("child", 1); std::exit(3); });
    child("_exit", [] { self = 2; caught("child", 2); std::fflush(stdout); _exit(4); });
    try { fail(0); } catch (...) {}
    child("exit again", [] { self = 3; caught("child", 3); std::exit(5); });
    child("uncaught", [] { self = 4; std::fclose(stderr); fail(4); });
    caught("parent", 9);
}
