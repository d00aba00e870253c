// std::call_once and std::async, whose headers refer to thread-local variables of the C++ library by their offset from the
// thread pointer.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic
//# Stdout: once
//# Stdout: 45 1
//# Stdout: failed
#include <cstdio>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
static std::once_flag flag;
static int count;
static int work(int n) {
    std::call_once(flag, [] { std::puts("once"); count++; });
    return n;
}
int main() {
    int sum = 0;
    std::future<int> results[10];
    for (int i = 0; i < 10; i++) results[i] = std::async(std::launch::async, work, i);
    for (auto &result : results) sum += result.get();
    std::printf("%d %d\n", sum, count);
    try { std::async(std::launch::async, []() -> int { throw std::runtime_error("failed"); }).get(); }
    catch (const std::exception &e) { std::puts(e.what()); }
}
