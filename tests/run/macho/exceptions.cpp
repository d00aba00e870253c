//# Flags: -O0 | -O2 | -O0 -femit-dwarf-unwind=no-compact-unwind | -O2 -femit-dwarf-unwind=no-compact-unwind | -O2 -femit-dwarf-unwind=no-compact-unwind -fomit-frame-pointer | -O2 -femit-dwarf-unwind=always
// Thrown across frames of every sort, with compact unwind information alone where the flags say so.
extern "C" int printf(const char *, ...);
extern "C" void qsort(void *, unsigned long, unsigned long, int (*)(const void *, const void *));

#define NOINLINE __attribute__((noinline))

struct Noise {
    const char *name;
    Noise(const char *name) : name(name) { printf("+%s\n", name); }
    ~Noise() { printf("-%s\n", name); }
};

struct Base {
    virtual ~Base() {}
    virtual int code() const { return 1; }
};
struct Derived : Base {
    int value;
    Derived(int value) : value(value) {}
    int code() const override { return value; }
};

volatile int sink;

NOINLINE void throws(int what) {
    Noise noise("throws");
    switch (what) {
    case 1: throw 42;
    case 2: throw "text";
    case 3: throw Derived(7);
    case 4: throw 2.5;
    }
}

// Many values live across the call: all registers that a function must save.
NOINLINE int saves_registers(int what, int a, int b, int c, int d, int e, int f) {
    int g = a * b, h = c * d, i = e * f, j = a + f, k = b + e, l = c + d;
    throws(what);
    return a + b + c + d + e + f + g + h + i + j + k + l;
}

NOINLINE void touch(char *buffer, int size) { buffer[0] = buffer[size - 1] = (char)(1 + sink); }

// Frames too large for the short forms, without and with registers to save.
NOINLINE int larger_frame(int what) {
    char buffer[10000];
    touch(buffer, 10000);
    saves_registers(what, 1, 2, 3, 4, 5, 6);
    return buffer[0] + buffer[9999];
}

NOINLINE int large_frame(int what) {
    int a = sink + 1, b = sink + 2, c = sink + 3;
    char buffer[20000];
    touch(buffer, 20000);
    int result = larger_frame(what);
    touch(buffer, a + b);
    return result + a * b + c + buffer[0];
}

NOINLINE int variable_frame(int what, int size) {
    volatile char buffer[size];
    buffer[0] = buffer[size - 1] = 2;
    int result = large_frame(what);
    return result + buffer[0];
}

NOINLINE double saves_floats(int what, double a, double b) {
    double c = a * b, d = a / b;
    int result = variable_frame(what, 500);
    return a + b + c + d + result;
}

NOINLINE int rethrows(int what) {
    try {
        return (int)saves_floats(what, 3, 2);
    } catch (...) {
        Noise noise("rethrows");
        throw;
    }
}

NOINLINE int nested(int what) {
    Noise noise("nested");
    try {
        return rethrows(what);
    } catch (const char *text) {
        printf("caught %s, throwing another\n", text);
        throw 43;
    }
}

NOINLINE int no_throw(int what) noexcept {
    try {
        return nested(what);
    } catch (int number) {
        return number;
    } catch (const Base &base) {
        return base.code();
    } catch (...) {
        return -1;
    }
}

int compare(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    if (x == 13 || y == 13)
        throw x + y;
    return x - y;
}

int main() {
    // What must be the same before and after.
    int kept[8];
    for (int i = 0; i < 8; i++)
        kept[i] = i * sink + i;
    for (int what = 0; what < 5; what++)
        printf("%d\n", no_throw(what));
    int numbers[] = {5, 3, 9, 1, 13, 4};
    try {
        qsort(numbers, 6, sizeof(int), compare);
    } catch (int) {
        printf("through the C library\n");
    }
    for (int i = 0; i < 8; i++)
        printf("%d ", kept[i]);
    printf("\n");
}
