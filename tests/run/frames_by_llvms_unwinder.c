// Where LLVM's unwinder comes before libgcc's, frames are registered with it: they are found, and left with their clean-ups.
//# Arch: x86_64
//# Compilers: clang | gcc
//# Flags: -O0 -fexceptions | -O2 -fexceptions -fno-pic
//# Env: LD_PRELOAD=/usr/lib/llvm-14/lib/libunwind.so.1
//# Stdout: LLVM's
//# Stdout: 3 frames
//# Stdout: clean-up of inner
//# Stdout: clean-up of middle
//# Stdout: left
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>
static uintptr_t marks[3];
static int seen;
static jmp_buf end;
static struct _Unwind_Exception exception;
#define HERE(n) (marks[n] = (uintptr_t)__builtin_return_address(0))
static void clean_up(const char **name) { printf("clean-up of %s\n", *name); }
static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *unused) {
    for (int i = 0; i < 3; i++)
        seen += _Unwind_GetIP(context) == marks[i];
    return _URC_NO_REASON;
}
static uintptr_t outermost;
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                struct _Unwind_Exception *object, struct _Unwind_Context *context, void *unused) {
    if (_Unwind_GetCFA(context) > outermost)
        longjmp(end, 1);
    return _URC_NO_REASON;
}
__attribute__((noinline)) static void inner(void) {
    __attribute__((cleanup(clean_up))) const char *name = "inner";
    HERE(0);
    _Unwind_Backtrace(note, NULL);
    printf("%d frames\n", seen);
    _Unwind_ForcedUnwind(&exception, stop, NULL);
}
__attribute__((noinline)) static void middle(void) {
    __attribute__((cleanup(clean_up))) const char *name = "middle";
    HERE(1);
    inner();
}
__attribute__((noinline)) static void outer(void) {
    HERE(2);
    outermost = (uintptr_t)__builtin_frame_address(0);
    middle();
    __asm__ volatile("");
}
int main(void) {
    Dl_info info;
    dladdr(dlsym(RTLD_DEFAULT, "_Unwind_ForcedUnwind"), &info);
    puts(strstr(info.dli_fname, "libunwind") ? "LLVM's" : "libgcc's");
    if (!setjmp(end))
        outer();
    puts("left");
    return 0;
}
