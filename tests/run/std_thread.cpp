// std::thread, mutex and condition_variable.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic | -O2 -fPIC
//# Stdout: 10 items, sum 45
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>
static std::mutex mutex;
static std::condition_variable changed;
static std::deque<int> queue;
static bool done;
int main() {
    int count = 0, sum = 0;
    std::thread consumer([&] {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            changed.wait(lock, [] { return done || !queue.empty(); });
            if (queue.empty())
                return;
            sum += queue.front();
            queue.pop_front();
            count++;
        }
    });
    for (int i = 0; i < 10; i++) {
        std::lock_guard<std::mutex> lock(mutex);
        queue.push_back(i);
        changed.notify_one();
    }
    {
        std::lock_guard<std::mutex> lock(mutex);
        done = true;
    }
    changed.notify_one();
    consumer.join();
    std::printf("%d items, sum %d\n", count, sum);
}
