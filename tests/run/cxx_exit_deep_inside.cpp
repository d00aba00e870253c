// `exit` deep inside a program: local objects are not destroyed, thread-locals and statics are, those of other threads not;
// `quick_exit` and `_Exit` run less.
//# Compilers: clang | gcc
//# Flags: -O0 | -O0 -fPIC | -O0 -fno-pic | -O2 | -O2 -fPIC | -O2 -fno-pic
//# File: main.cpp
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
struct Noisy {
    const char *name;
    ~Noisy() { std::printf("  -%s\n", name); std::fflush(stdout); }
};
static Noisy global{"global"};
static thread_local Noisy local{"thread_local"};
static void say(const char *text) { std::printf("  %s\n", text); std::fflush(stdout); }
__attribute__((destructor)) static void last() { say("destructor"); }
static void __attribute__((noinline)) deep(int level, void (*leave)(int)) {
    Noisy automatic{"automatic"};
    static Noisy once{"local static"};
    if (level)
        deep(level - 1, leave);
    else
        leave(7);
}
static void in_thread(void (*leave)(int)) {
    std::thread thread([leave] {
        local.name = "thread_local of a thread";
        deep(2, leave);
    });
    thread.join();
}
static void run(const char *title, void (*leave)(int), bool threaded) {
    std::printf("%s%s\n", title, threaded ? " in a thread" : "");
    std::fflush(stdout);
    if (pid_t pid = fork()) {
        int status;
        waitpid(pid, &status, 0);
        std::printf("  status %d\n", WEXITSTATUS(status));
        return;
    }
    std::atexit([] { say("atexit"); });
    std::at_quick_exit([] { say("at_quick_exit"); });
    local.name = "thread_local of main";
    threaded ? in_thread(leave) : deep(2, leave);
}
int main() {
    for (int round = 0; round < 2; round++) {
        bool threaded = round;
        run("exit", std::exit, threaded);
        run("quick_exit", std::quick_exit, threaded);
        run("_Exit", std::_Exit, threaded);
    }
    _exit(0);
}
