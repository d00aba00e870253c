//! Every argument of a first call arrives, whatever it is passed in, and what is thrown gets back.

use crate::support::{call, object_with};
use jitlink::lazy::{LazyReexport, LazyReexports};
use jitlink::session::{Jit, JitDylib, ObjectBuffer};

/// Defines `names` in the main dylib as entries for functions of these objects, and adds the caller.
fn lazily(names: &[&str], callee: ObjectBuffer, caller: ObjectBuffer) -> (Jit, JitDylib) {
    let jit = Jit::new().unwrap();
    let source = jit.create_dylib("source").unwrap();
    source.add_object(callee).unwrap();
    let lazy: Vec<_> = names.iter().map(|name| LazyReexport::function(name.as_bytes())).collect();
    LazyReexports::default().define(jit.main(), None, &source, &lazy).unwrap();
    jit.main().add_object(caller).unwrap();
    (jit, source)
}

/// The text of a program in two halves: `CALLEE` is defined for the one.
fn both(name: &str, functions: &[&str], flags: &[&str], text: &str) -> (Jit, JitDylib) {
    let object = |half: &str| {
        let flags: Vec<&str> = flags.iter().copied().chain([half]).collect();
        object_with(&name.replace('.', &format!("{half}.")), text, &flags)
    };
    lazily(functions, object("-DCALLEE"), object("-DCALLER"))
}

const INTEGERS: &str = r#"
long many(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k, long l, long m, long n);
#ifdef CALLEE
long many(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k, long l, long m, long n) {
    long all[] = {a, b, c, d, e, f, g, h, i, j, k, l, m, n};
    for (int at = 0; at < 14; at++)
        if (all[at] != (at + 1) * 0x0123456789abcdL)
            return at + 1;
    return 0;
}
#else
#define V(n) n * 0x0123456789abcdL
int test(int x) { return many(V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14)); }
#endif
"#;

#[test]
fn fourteen_integers_arrive() {
    let (jit, source) = both("integers.c", &["many"], &["-O1"], INTEGERS);
    assert!(jit.main().lookup("test").is_ok());
    assert!(source.lookup_ready(b"many").is_none(), "not linked before the call");
    assert_eq!(call(jit.main(), "test", 0), 0);
    assert!(source.lookup_ready(b"many").is_some());
    assert_eq!(call(jit.main(), "test", 0), 0, "once more, past the trampoline");
}

/// Ten vectors of `WIDTH` bytes: in registers and on the stack.
const VECTORS: &str = r#"
typedef long V __attribute__((vector_size(WIDTH)));
#define N (WIDTH / 8)
int many(V a, V b, V c, V d, V e, V f, V g, V h, V i, V j, double last);
#ifdef CALLEE
int many(V a, V b, V c, V d, V e, V f, V g, V h, V i, V j, double last) {
    V all[] = {a, b, c, d, e, f, g, h, i, j};
    for (int at = 0; at < 10; at++)
        for (int lane = 0; lane < N; lane++)
            if (all[at][lane] != at * 1000 + lane)
                return at * 100 + lane + 1;
    return last == 2.5 ? 0 : -1;
}
#else
static V make(int at) { V v; for (int lane = 0; lane < N; lane++) v[lane] = at * 1000 + lane; return v; }
int test(int x) {
    return many(make(0), make(1), make(2), make(3), make(4), make(5), make(6), make(7), make(8), make(9), 2.5);
}
#endif
"#;

#[test]
fn ten_vectors_arrive() {
    let (jit, _) = both("vectors16.c", &["many"], &["-O1", "-DWIDTH=16"], VECTORS);
    assert_eq!(call(jit.main(), "test", 0), 0);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn wide_vectors_arrive() {
    for (width, flag, has) in [
        (32, "-mavx2", std::arch::is_x86_feature_detected!("avx2")),
        (64, "-mavx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ] {
        if has {
            let width_flag = format!("-DWIDTH={width}");
            let flags = ["-O1", flag, "-Wno-psabi", &width_flag];
            let (jit, _) = both(&format!("vectors{width}.c"), &["many"], &flags, VECTORS);
            assert_eq!(call(jit.main(), "test", 0), 0, "{width}");
        }
    }
}

const SORTS: &str = r#"
#include <stdarg.h>
struct small { long a; double b; };
struct large { long all[9]; };
struct small by_value(struct small s, struct large l, struct small t);
struct large hidden(int x, struct large l);
double variadic(int count, ...);
long double wide(long double a, long double b, int c);
_Complex double complex_sum(_Complex double a, _Complex float b);
#ifdef CALLEE
struct small by_value(struct small s, struct large l, struct small t) {
    struct small r = {s.a + l.all[8] + t.a, s.b * t.b};
    return r;
}
struct large hidden(int x, struct large l) { l.all[3] += x; return l; }
double variadic(int count, ...) {
    va_list args;
    va_start(args, count);
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += i % 2 ? va_arg(args, double) : va_arg(args, int);
    va_end(args);
    return sum;
}
long double wide(long double a, long double b, int c) { return a / b + c; }
_Complex double complex_sum(_Complex double a, _Complex float b) { return a + b; }
#else
int test(int x) {
    struct large l = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
    struct small s = {10, 1.5}, t = {100, 4};
    struct small r = by_value(s, l, t);
    if (r.a != 119 || r.b != 6) return 1;
    struct large h = hidden(36, l);
    if (h.all[3] != 40 || h.all[8] != 9) return 2;
    if (variadic(12, 1, 0.5, 2, 0.25, 3, 0.125, 4, 1.0, 5, 2.0, 6, 4.0) != 28.875) return 3;
    if (wide(3.0L, 8.0L, 2) != 2.375L) return 4;
    _Complex double sum = complex_sum(1.0 + 2.0i, 0.5f + 0.25fi);
    if (__real__ sum != 1.5 || __imag__ sum != 2.25) return 5;
    return 0;
}
#endif
"#;

#[test]
fn structures_variadics_and_long_doubles_arrive() {
    let names = ["by_value", "hidden", "variadic", "wide", "complex_sum"];
    let (jit, _) = both("sorts.c", &names, &["-O1"], SORTS);
    assert_eq!(call(jit.main(), "test", 0), 0);
}

const TAIL_CALL: &str = r#"
int target(int x, int y);
#ifdef CALLEE
int target(int x, int y) { return x * 100 + y; }
#else
__attribute__((noinline)) int first(int x, int y) { __attribute__((musttail)) return target(y, x); }
int tail(int x) { return first(x, 7); }
#endif
"#;

#[test]
fn tail_calls_pass() {
    let (jit, _) = both("tail.c", &["target"], &["-O1"], TAIL_CALL);
    assert_eq!(call(jit.main(), "tail", 3), 703);
}

const EXCEPTIONS: &str = r#"
int throws(int x, double y);
#ifdef CALLEE
int throws(int x, double y) { if (x > 1) throw x * y; return 1; }
#else
struct Guard { int *count; ~Guard() { ++*count; } };
extern "C" int test(int x) {
    int unwound = 0;
    try {
        Guard guard{&unwound};
        return throws(x, 2.5);
    } catch (double value) {
        return (int)(value * 10) + unwound;
    }
}
#endif
"#;

#[test]
fn exceptions_reach_the_caller() {
    let jit = Jit::new().unwrap();
    jit.main().add_generator(
        jitlink::session::generators::LibraryGenerator::open(jitlink_test_support::toolchain::libstdcxx(
            jitlink_test_support::arch::Arch::host(),
        ))
        .unwrap(),
    );
    let source = jit.create_dylib("source").unwrap();
    source.add_to_link_order(jit.main());
    source.add_object(object_with("throws-callee.cpp", EXCEPTIONS, &["-O1", "-DCALLEE"])).unwrap();
    let lazy = [LazyReexport::function(b"_Z6throwsid")];
    LazyReexports::default().define(jit.main(), None, &source, &lazy).unwrap();
    jit.main().add_object(object_with("throws-caller.cpp", EXCEPTIONS, &["-O1"])).unwrap();
    assert_eq!(call(jit.main(), "test", 4), 101, "thrown in the first call");
    assert_eq!(call(jit.main(), "test", 2), 51);
    assert_eq!(call(jit.main(), "test", 1), 1);
}

/// What the unwinder sees while the handler runs: the caller of the entry above the code that saves registers.
#[test]
fn the_stack_can_be_walked_through_a_trampoline() {
    static SEEN: std::sync::Mutex<Vec<u64>> = std::sync::Mutex::new(Vec::new());
    struct Walk(ObjectBuffer);
    impl jitlink::session::MaterializationUnit for Walk {
        fn name(&self) -> &str {
            "walk"
        }
        fn symbols(&self) -> Vec<(Vec<u8>, jitlink::session::JitSymbolFlags)> {
            vec![(b"target".to_vec(), jitlink::session::JitSymbolFlags::FUNCTION)]
        }
        fn materialize(
            self: Box<Self>,
            _: &jitlink::session::MaterializationRequest<'_>,
        ) -> jitlink::base::Result<jitlink::session::Materialized> {
            *SEEN.lock().unwrap() = crate::support::return_addresses();
            Ok(jitlink::session::Materialized::object(self.0))
        }
    }
    let jit = Jit::new().unwrap();
    let source = jit.create_dylib("source").unwrap();
    let callee = object_with("walk-callee.c", "int target(int x) { return x + 1; }", &["-O1"]);
    source.define(Walk(callee)).unwrap();
    LazyReexports::default().define(jit.main(), None, &source, &[LazyReexport::function(b"target")]).unwrap();
    let text = "int target(int); int inner(int x) { return target(x) * 2; } int outer(int x) { return inner(x) + 1; }";
    let caller = object_with("walk-caller.c", text, &["-O0", "-fno-omit-frame-pointer"]);
    jit.main().add_object(caller).unwrap();
    let [inner, outer] = ["inner", "outer"].map(|name| jit.main().lookup(name).unwrap());
    assert_eq!(call(jit.main(), "outer", 4), 11);
    let seen = SEEN.lock().unwrap();
    let within = |function: jitlink::session::ExecutorSymbol| {
        let range = function.address.0..function.address.0 + function.size;
        seen.iter().position(|address| range.contains(address))
    };
    let (inner, outer) = (within(inner).expect("inner is seen"), within(outer).expect("outer is seen"));
    assert!(outer == inner + 1 && seen.len() > outer + 1, "{seen:x?}");
}
