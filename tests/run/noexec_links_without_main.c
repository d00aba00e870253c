// With `-noexec` a library without `main` is linked, so what is undefined in it is found.
//# Inputs: -noexec noexec_links_without_main.c
//# Fails: undefined_elsewhere
int undefined_elsewhere(void);
int helper(void) { return undefined_elsewhere(); }
