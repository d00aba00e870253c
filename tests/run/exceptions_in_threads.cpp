// Many threads throw and catch at once.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 8000
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>
static std::atomic<int> caught;
__attribute__((noinline)) static void deep(int level) {
    if (level == 0)
        throw level;
    deep(level - 1);
    __asm__ volatile("");
}
int main() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back([] {
            for (int n = 0; n < 1000; n++)
                try { deep(n % 20); } catch (int) { ++caught; }
        });
    for (std::thread &thread : threads)
        thread.join();
    std::printf("%d\n", caught.load());
}
