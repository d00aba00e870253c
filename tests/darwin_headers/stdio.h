#pragma once
#include <stdarg.h>
#include <sys/types.h>
#ifdef __cplusplus
extern "C" {
#endif
#ifndef NULL
#define NULL 0
#endif
typedef struct darwin_file FILE;
typedef long long fpos_t;
extern FILE *__stdinp, *__stdoutp, *__stderrp;
#define stdin __stdinp
#define stdout __stdoutp
#define stderr __stderrp
#define EOF (-1)
#define BUFSIZ 1024
#define L_tmpnam 1024
#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
int printf(const char *, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *, const char *, ...);
int sprintf(char *, const char *, ...);
int snprintf(char *, size_t, const char *, ...);
int asprintf(char **, const char *, ...);
int dprintf(int, const char *, ...);
int vprintf(const char *, va_list);
int vfprintf(FILE *, const char *, va_list);
int vsprintf(char *, const char *, va_list);
int vsnprintf(char *, size_t, const char *, va_list);
int scanf(const char *, ...);
int fscanf(FILE *, const char *, ...);
int sscanf(const char *, const char *, ...);
int vsscanf(const char *, const char *, va_list);
FILE *fopen(const char *, const char *) __asm("_fopen$DARWIN_EXTSN");
FILE *fdopen(int, const char *);
FILE *freopen(const char *, const char *, FILE *);
FILE *tmpfile(void);
FILE *popen(const char *, const char *);
int pclose(FILE *);
int fclose(FILE *), fflush(FILE *), feof(FILE *), ferror(FILE *), getc(FILE *), ungetc(int, FILE *), fileno(FILE *);
void clearerr(FILE *), perror(const char *), flockfile(FILE *), funlockfile(FILE *);
int getc_unlocked(FILE *), getchar(void);
int fputs(const char *, FILE *) __asm("_fputs$UNIX2003");
int puts(const char *), putchar(int), fputc(int, FILE *), putc(int, FILE *);
char *fgets(char *, int, FILE *);
size_t fread(void *, size_t, size_t, FILE *), fwrite(const void *, size_t, size_t, FILE *);
int fseek(FILE *, long, int), fseeko(FILE *, off_t, int), setvbuf(FILE *, char *, int, size_t);
long ftell(FILE *);
off_t ftello(FILE *);
int remove(const char *), rename(const char *, const char *);
char *tmpnam(char *);
#ifdef __cplusplus
}
#endif
