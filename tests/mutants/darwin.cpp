// What Mach-O objects are made of, without any header: exceptions, initialisers, thread-locals, weak definitions, literals,
// commons, jump tables, zero-fill.
extern "C" int puts(const char *);
extern "C" double pow(double, double);

struct Base {
    virtual ~Base() {}
    virtual int value() { return 1; }
};

struct Derived : Base {
    int value() override { return 2; }
};

struct Loud {
    Loud() { puts("made"); }
    ~Loud() { puts("gone"); }
};

static Loud loud;
static thread_local int counter = 7;
thread_local char zeros[100];
int table[1000];
const char *names[] = {"one", "two", "three"};

template <typename T> T twice(T value) {
    static T last;
    last = value;
    return value + last;
}

static int choose(int value) {
    switch (value) {
    case 0: return table[3];
    case 1: return twice(4);
    case 2: return counter++;
    case 3: return puts(names[1]);
    case 4: return (int)pow(2.5, value);
    case 5: return zeros[value];
    case 6: throw value;
    }
    return 0;
}

__attribute__((weak)) int optional();

int main(int argc, char **) {
    Base *base = argc > 3 ? new Base : new Derived;
    int sum = optional ? optional() : 0;
    try {
        for (int i = 0; i < 7; i++)
            sum += choose(i) + base->value();
    } catch (int caught) {
        sum += caught;
    }
    delete base;
    return sum;
}
