// Handlers of synchronous signals throw: a division by zero and a null pointer become C++ exceptions.
//# Compilers: gcc
//# Flags: -O0 -fnon-call-exceptions | -O2 -fnon-call-exceptions | -O2 -fnon-call-exceptions -fno-pic
//# Stdout: destroyed
//# Stdout: caught null pointer
//# Stdout: destroyed
//# Stdout: caught null pointer
#include <csignal>
#include <cstdio>
struct Fault { const char *what; };
struct Noisy { ~Noisy() { std::puts("destroyed"); } };
static void fault(int, siginfo_t *info, void *) { throw Fault{info->si_addr == nullptr ? "null pointer" : "another"}; }
static int __attribute__((noinline)) read(volatile int *place) {
    Noisy noisy;
    return *place;
}
int main() {
    struct sigaction action = {};
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, nullptr);
    for (int i = 0; i < 2; i++)
        try { std::printf("read %d\n", read(nullptr)); } catch (const Fault &fault) { std::printf("caught %s\n", fault.what); }
}
