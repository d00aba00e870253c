// The functions that glibc keeps in its static part: atexit, at_quick_exit, pthread_atfork, the stat family.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: child 1 2
//# Stdout: parent 1 3
//# Stdout: 1 1 1 1
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static int prepared, where;
static void prepare(void) { prepared = 1; }
static void child(void) { where = 2; }
static void parent(void) { where = 3; }
int main(void) {
    struct stat a, b, c, d;
    pthread_atfork(prepare, parent, child);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        printf("child %d %d\n", prepared, where);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("parent %d %d\n", prepared, where);
    int directory = open("/", O_RDONLY | O_DIRECTORY);
    stat("/", &a), lstat("/", &b), fstat(directory, &c), fstatat(directory, ".", &d, 0);
    printf("%d %d %d %d\n", S_ISDIR(a.st_mode) != 0, a.st_ino == b.st_ino, b.st_ino == c.st_ino, c.st_ino == d.st_ino);
    return 0;
}
