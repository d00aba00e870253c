// Without `main` the command says so and what to do.
//# Fails: main
//# Stderr: -noexec
int helper(void) { return 3; }
