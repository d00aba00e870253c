//# Flags: -O1 -mno-red-zone
//# Flags[aarch64]: -O1
// Code for Darwin relies on it, the first time in a thread and every other time.
#include <pthread.h>
#include <stdio.h>
__thread long variable = 7;

#define EIGHT(M, a) M(a##0) M(a##1) M(a##2) M(a##3) M(a##4) M(a##5) M(a##6) M(a##7)
#define ALL16(M) EIGHT(M, ) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define ALL32(M) ALL16(M) M(16) M(17) M(18) M(19) EIGHT(M, 2) M(28) M(29) M(30) M(31)

static long *access(unsigned long *general, unsigned long *vector) {
    long *result;
#ifndef __APPLE__
    for (int i = 0; i < 16; i++)
        general[i] = 200 + i;
    for (int i = 0; i < 32; i++)
        vector[i] = 300 + i;
    result = &variable;
#elif defined(__x86_64__)
    register unsigned long *into_vector __asm__("r12") = vector;
    for (int i = 0; i < 16; i++)
        general[i] = 200 + i;
    for (int i = 0; i < 32; i++)
        vector[i] = 300 + i;
#define FILL(n) "movq %%rcx, %%xmm" #n "\n addq $1, %%rcx\n"
#define SAVE(n) "movq %%xmm" #n ", 8*" #n "(%%r12)\n"
    __asm__ volatile("movq $300, %%rcx\n" ALL16(FILL)
                     "movq $201, %%rcx\n movq $202, %%rdx\n movq $203, %%rsi\n movq $208, %%r8\n"
                     "movq $209, %%r9\n movq $210, %%r10\n movq $211, %%r11\n"
                     "movq _variable@TLVP(%%rip), %%rdi\n callq *(%%rdi)\n"
                     "movq %%rcx, 8(%%rbx)\n movq %%rdx, 16(%%rbx)\n movq %%rsi, 24(%%rbx)\n movq %%r8, 64(%%rbx)\n"
                     "movq %%r9, 72(%%rbx)\n movq %%r10, 80(%%rbx)\n movq %%r11, 88(%%rbx)\n" ALL16(SAVE)
                     : "=&a"(result)
                     : "b"(general), "r"(into_vector)
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
#else
    register unsigned long *into_general __asm__("x19") = general;
    register unsigned long *into_vector __asm__("x20") = vector;
    register long *out __asm__("x0");
    general[0] = 200;
#define FILL(n) "fmov d" #n ", x1\n add x1, x1, #1\n"
#define SAVE(n) "str d" #n ", [x20, #8*" #n "]\n"
#define NUMBER(n) "mov x" #n ", #(200+" #n ")\n"
#define STORE(n) "str x" #n ", [x19, #8*" #n "]\n"
#define GENERAL(M) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
    __asm__ volatile("mov x1, #300\n" ALL32(FILL) GENERAL(NUMBER)
                     "adrp x0, _variable@TLVPPAGE\n ldr x0, [x0, _variable@TLVPPAGEOFF]\n"
                     "ldr x21, [x0]\n blr x21\n" GENERAL(STORE) ALL32(SAVE)
                     : "=r"(out)
                     : "r"(into_general), "r"(into_vector)
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "x21", "x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8",
                       "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22",
                       "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
    result = out;
#endif
    return result;
}

static void *thread(void *argument) {
    for (int round = 0; round < 2; round++) {
        unsigned long general[16], vector[32];
        long *place = access(general, vector);
        printf("%ld %d:", *place, place == &variable);
        for (int i = 0; i < 16; i++)
            printf(" %lu", general[i]);
        for (int i = 0; i < 32; i++)
            printf(" %lu", vector[i]);
        printf("\n");
        *place = 8;
    }
    return argument;
}

int main(void) {
    thread(0);
    pthread_t id;
    pthread_create(&id, 0, thread, 0);
    pthread_join(id, 0);
    return 0;
}
