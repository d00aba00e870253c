// dl_iterate_phdr called from linked code lists the image with its segments, and the libraries.
//# Stdout: code 1, constant 1, data 1, libc 1
//# Stdout: stopped with 7 after 1
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <string.h>
static int variable = 5;
static const int constant = 6;
static int seen[3], has_libc, calls;
static int find(struct dl_phdr_info *info, size_t size, void *data) {
    void *what[3] = {(void *)find, (void *)&constant, &variable};
    if (size < sizeof *info || data != &variable) return 1;
    if (info->dlpi_name && strstr(info->dlpi_name, "libc.so")) has_libc = 1;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD) continue;
        for (int j = 0; j < 3; j++) {
            ElfW(Addr) offset = (ElfW(Addr))what[j] - (info->dlpi_addr + header->p_vaddr);
            ElfW(Word) flags[3] = {PF_R | PF_X, PF_R, PF_R | PF_W};
            if (offset < header->p_memsz && header->p_flags == flags[j]) seen[j]++;
        }
    }
    return 0;
}
static int stop(struct dl_phdr_info *info, size_t size, void *data) { return ++calls, 7; }
int main(void) {
    if (dl_iterate_phdr(find, &variable)) return 1;
    printf("code %d, constant %d, data %d, libc %d\n", seen[0], seen[1], seen[2], has_libc);
    int status = dl_iterate_phdr(stop, 0);
    printf("stopped with %d after %d\n", status, calls);
    return 0;
}
