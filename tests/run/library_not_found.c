// A library that is nowhere is an error that names it.
//# Inputs: library_not_found.c -lno_such_library_anywhere
//# Fails: no_such_library_anywhere
int main(void) { return 0; }
