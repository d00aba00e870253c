// What code relies on the offsets of has a limited place, and what does not fit there is refused with a hint.
//# Flags: -O0 | -O2 -fPIC -ftls-model=initial-exec
//# Fails: no room for
//# Stderr: compile with -fPIC and without -ftls-model
__thread char large[1 << 20];
int main(void) { return large[3]; }
