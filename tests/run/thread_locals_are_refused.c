// Thread-local variables are not supported yet, and that is said.
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic
//# Fails: thread-local
//# Stderr: thread_locals_are_refused.o
__thread int counter = 3;
int main(void) { return counter; }
