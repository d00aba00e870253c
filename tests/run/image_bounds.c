// `_etext`, `_edata`, `_end` lie after code, data and zero-fill, in every code model; `__ehdr_start` is an ELF header with program headers.
//# Flags: -O0 -fPIC | -O0 -fno-pic
//# MoreFlags: -O0 -mcmodel=medium -fPIC
//# Stdout: 1 1 1 ELF 1 1
#include <elf.h>
#include <stdio.h>
#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif
extern char _etext[], etext[], _edata[], edata[], _end[], end[];
extern const Elf64_Ehdr __ehdr_start;
static int data = 1, zero[100];
int main(void) {
    char *volatile code_end = _etext, *volatile data_end = _edata, *volatile all_end = _end;
    printf("%d %d %d ", code_end > (char *)main && code_end == etext, data_end > (char *)&data && data_end == edata,
           all_end >= (char *)(zero + 100) && all_end == end);
    const Elf64_Phdr *headers = (const Elf64_Phdr *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    int loads = 0;
    for (int i = 0; i < __ehdr_start.e_phnum; i++)
        loads += headers[i].p_type == PT_LOAD;
    printf("%.3s %d %d\n", __ehdr_start.e_ident + 1, loads > 0, __ehdr_start.e_machine == MACHINE);
    return 0;
}
