#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *fail(void *unused) {
    (void)unused;
    int before = errno;
    close(-1);
    printf("thread: %d %d\n", before, errno == EBADF);
    return 0;
}

int main(void) {
    errno = ERANGE;
    pthread_t thread;
    pthread_create(&thread, 0, fail, 0);
    pthread_join(thread, 0);
    printf("main: %d\n", errno == ERANGE);
    return 0;
}
