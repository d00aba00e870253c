// Every undefined symbol is listed, each with who refers to it, and with names that look like it.
//# Fails: first_missing
//# Stderr: second_missing
//# Stderr: third_missing
//# Stderr: compute_checksun
//# Stderr: compute_checksum
//# Stderr: did you mean printf?
//# Stderr: a.o
//# Stderr: b.o
//# File: a.c
int first_missing(void), second_missing(void), compute_checksun(void), prinft(const char *);
int helper(void);
int main(void) { return first_missing() + second_missing() + helper() + compute_checksun() + prinft(""); }
//# File: b.c
extern int third_missing;
int compute_checksum(void) { return 4; }
int helper(void) { return third_missing; }
