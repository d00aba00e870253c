#pragma once
/* Darwin's are inline functions that read this table. */
typedef struct {
    int count;
    const void *entries;
} darwin_rune_range;
typedef struct {
    char magic[8], encoding[32];
    void *get, *put;
    int invalid;
    unsigned runetype[256];
    int maplower[256], mapupper[256];
    darwin_rune_range ranges[3];
} darwin_rune_locale;
extern darwin_rune_locale _DefaultRuneLocale;
int __maskrune(int, unsigned long);
int __tolower(int);
int __toupper(int);
static inline int darwin_istype(int c, unsigned long f) {
    return (c & ~0x7f) == 0 ? (_DefaultRuneLocale.runetype[c] & f) != 0 : __maskrune(c, f) != 0;
}
static inline int isalpha(int c) { return darwin_istype(c, 0x100); }
static inline int iscntrl(int c) { return darwin_istype(c, 0x200); }
static inline int isdigit(int c) { return darwin_istype(c, 0x400); }
static inline int isalnum(int c) { return darwin_istype(c, 0x500); }
static inline int isgraph(int c) { return darwin_istype(c, 0x800); }
static inline int islower(int c) { return darwin_istype(c, 0x1000); }
static inline int ispunct(int c) { return darwin_istype(c, 0x2000); }
static inline int isspace(int c) { return darwin_istype(c, 0x4000); }
static inline int isupper(int c) { return darwin_istype(c, 0x8000); }
static inline int isxdigit(int c) { return darwin_istype(c, 0x10000); }
static inline int isblank(int c) { return darwin_istype(c, 0x20000); }
static inline int isprint(int c) { return darwin_istype(c, 0x40000); }
static inline int tolower(int c) { return __tolower(c); }
static inline int toupper(int c) { return __toupper(c); }
