// Two strong definitions of one name are an error that names it and both files.
//# Fails: twice
//# Stderr: first.o
//# Stderr: second.o
//# File: first.c
int twice(void) { return 1; }
int main(void) { return twice(); }
//# File: second.c
int twice(void) { return 2; }
