//# Flags: -O0 | -O2
#include <pthread.h>
extern "C" int printf(const char *, ...);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int made, destroyed;
struct Counted {
    int value;
    Counted(int value) : value(value) {
        pthread_mutex_lock(&mutex);
        made++;
        pthread_mutex_unlock(&mutex);
    }
    ~Counted() {
        pthread_mutex_lock(&mutex);
        destroyed += value;
        pthread_mutex_unlock(&mutex);
    }
};
thread_local Counted global(1);
thread_local int computed = [] { return 17; }();

static int use(int by) {
    static thread_local Counted local(100);
    local.value += by;
    return local.value + global.value + computed;
}

static void *thread(void *argument) {
    int by = (int)(long)argument;
    try {
        use(by);
        if (by == 2)
            throw use(by);
    } catch (int value) {
        return (void *)(long)-value;
    }
    return (void *)(long)use(by);
}

int main() {
    for (long i = 0; i < 4; i++) {
        pthread_t id;
        void *result;
        pthread_create(&id, 0, thread, (void *)i);
        pthread_join(id, &result);
        printf("%ld: made %d, destroyed %d\n", (long)result, made, destroyed);
    }
}
