//# Flags: -O0 | -O2
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    char name[] = "/tmp/jitlink-macho-XXXXXX";
    int file = mkstemp(name);
    printf("%d\n", file >= 0);
    close(file);
    file = open(name, O_WRONLY | O_TRUNC | O_APPEND);
    printf("%zd\n", write(file, "one two three\n", 14));
    printf("%d\n", fcntl(file, F_GETFL) & O_APPEND ? 1 : 0);
    close(file);
    printf("%d %d\n", open(name, O_CREAT | O_EXCL | O_RDWR, 0600), errno == EEXIST);
    struct stat stat_buffer;
    printf("%d %d %d\n", stat(name, &stat_buffer), (int)stat_buffer.st_size, S_ISREG(stat_buffer.st_mode));
    FILE *stream = fopen(name, "r");
    char word[20];
    while (fscanf(stream, "%19s", word) == 1)
        fputs(word, stdout), putchar('\n');
    fclose(stream);
    unlink(name);
    printf("%d %s\n", fopen(name, "r") == NULL, strerror(errno));

    for (int c = 32; c < 127; c++)
        putchar(isupper(c) ? tolower(c) : isdigit(c) ? '#' : ispunct(c) ? '.' : isspace(c) ? '_' : toupper(c));
    putchar('\n');
    char *words[] = {"pear", "apple", "fig", "banana"};
    qsort(words, 4, sizeof *words, compare);
    for (int i = 0; i < 4; i++)
        printf("%s ", words[i]);
    printf("%s %s\n", setlocale(LC_ALL, "C"), localeconv()->decimal_point);
    time_t zero = 0;
    char text[40];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime(&zero));
    printf("%s %g %ld\n", text, strtod("1.5e3", NULL), strtol("-77", NULL, 0));
    struct timespec now;
    printf("%d %d\n", clock_gettime(CLOCK_MONOTONIC, &now), now.tv_sec > 0);
    printf("%d\n", sysconf(_SC_PAGESIZE) >= 4096);
    return 0;
}
