// Links one small object after another with LLVM's LLJIT, and says what it took: see progress.rs for the line's numbers.
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(LLVMErrorRef error) {
    if (!error) return;
    fprintf(stderr, "%s\n", LLVMGetErrorMessage(error));
    exit(1);
}

static double micros(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int mappings(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    int lines = 0;
    for (int c; (c = getc(file)) != EOF;) lines += c == '\n';
    fclose(file);
    return lines;
}

static double memory(void) {
    char line[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Pss: %lf", &kilobytes) == 1) break;
    fclose(file);
    return kilobytes * 1024;
}

static void replace(char *bytes, size_t size, const char *what, const char *with, size_t length) {
    for (size_t at = 0; at + length <= size; at++)
        if (!memcmp(bytes + at, what, length)) memcpy(bytes + at, with, length);
}

int main(int argc, char **argv) {
    int count = argc == 3 ? atoi(argv[2]) : 0;
    FILE *file = count > 0 ? fopen(argv[1], "rb") : NULL;
    static char sample[65536], bytes[65536];
    size_t size = file ? fread(sample, 1, sizeof sample, file) : 0;
    if (!size) return 1;

    LLVMInitializeNativeTarget();
    LLVMOrcLLJITRef jit;
    must(LLVMOrcCreateLLJIT(&jit, NULL));
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit);
    LLVMOrcDefinitionGeneratorRef process;
    must(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL));
    LLVMOrcJITDylibAddGenerator(dylib, process);

    double cpu = micros(CLOCK_PROCESS_CPUTIME_ID), wall = micros(CLOCK_MONOTONIC);
    for (int index = 0, last = 0, next = 1000; index < count; index++) {
        char name[16], number[4];
        snprintf(name, sizeof name, "f%06d", index);
        memcpy(number, &index, 4);
        memcpy(bytes, sample, size);
        replace(bytes, size, "f000000", name, 7);
        replace(bytes, size, "UUUU", number, 4);
        LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes, size, name);
        must(LLVMOrcLLJITAddObjectFile(jit, dylib, buffer));
        LLVMOrcExecutorAddress address;
        must(LLVMOrcLLJITLookup(jit, &address, name));
        if (((int (*)(void))address)() != index) return 2;
        if (index + 1 != next && index + 1 != count) continue;
        next *= 10;
        printf("%d %d %f %f %d %f\n", index + 1, index + 1 - last, micros(CLOCK_PROCESS_CPUTIME_ID) - cpu,
               micros(CLOCK_MONOTONIC) - wall, mappings(), memory());
        fflush(stdout);
        last = index + 1;
        cpu = micros(CLOCK_PROCESS_CPUTIME_ID), wall = micros(CLOCK_MONOTONIC);
    }
    return 0;
}
