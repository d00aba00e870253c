// Code for stacks in pieces needs support that only a native link brings along: refused, and it is said what to do.
//# Arch: x86_64
//# Compilers: clang | gcc
//# Flags: -O2 -fsplit-stack
//# Fails: undefined symbol __morestack
//# Stderr: -fno-split-stack
int deep(int n) {
    volatile char local[4096];
    local[n] = n;
    return n ? deep(n - 1) + local[n] : 0;
}
int main(void) { return deep(100); }
