#pragma once
#ifdef __x86_64__
#define DARWIN_JMP_BUF 37
#else
#define DARWIN_JMP_BUF 48
#endif
typedef int jmp_buf[DARWIN_JMP_BUF];
typedef int sigjmp_buf[DARWIN_JMP_BUF + 1];
int setjmp(jmp_buf) __attribute__((returns_twice));
int _setjmp(jmp_buf) __attribute__((returns_twice));
int sigsetjmp(sigjmp_buf, int) __attribute__((returns_twice));
void longjmp(jmp_buf, int) __attribute__((noreturn));
void _longjmp(jmp_buf, int) __attribute__((noreturn));
void siglongjmp(sigjmp_buf, int) __attribute__((noreturn));
