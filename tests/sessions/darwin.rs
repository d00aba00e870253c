//! Mach-O objects in a session find what their names mean on Darwin, where that is something of this process.

use crate::support::{call, jit, mach_object};

#[test]
fn names_mean_what_they_do_on_darwin() {
    let text = "
        int open(const char *, int, ...), close(int), unlink(const char *);
        int snprintf(char *, unsigned long, const char *, ...), setjmp(int *) __attribute__((returns_twice));
        void longjmp(int *, int) __attribute__((noreturn));
        static _Thread_local int counter = 40;
        static int small[48 + 2];
        int create(void) {
            // O_WRONLY, O_CREAT and O_TRUNC of Darwin.
            int file = open(\"/tmp/jitlink-session-darwin\", 1 | 0x200 | 0x400, 0600);
            close(file);
            return file >= 0 && unlink(\"/tmp/jitlink-session-darwin\") == 0;
        }
        int print(void) {
            char text[32];
            return snprintf(text, 32, \"%d %g %s\", 17, 2.5, \"x\") * 100 + text[1] - '0';
        }
        int jump(void) {
            volatile int round = 0;
            small[48] = 7;
            if (setjmp(small) < 3) longjmp(small, ++round);
            return round * 10 + small[48];
        }
        int count(void) { return ++counter; }
    ";
    let jit = jit(&[]);
    jit.main().add_object(mach_object("darwin_names", text)).unwrap();
    assert_eq!(call(jit.main(), "create", 0), 1);
    assert_eq!(call(jit.main(), "print", 0), 8 * 100 + 7);
    assert_eq!(call(jit.main(), "jump", 0), 37);
    assert_eq!((call(jit.main(), "count", 0), call(jit.main(), "count", 0)), (41, 42));
}

#[test]
fn what_a_session_defines_comes_before_the_process() {
    let jit = jit(&[("own_open", "int open(const char *path, int flags) { return 1000 + flags; }")]);
    let text = "int open(const char *, int); int asks(void) { return open(\"\", 0x200); }";
    jit.main().add_object(mach_object("asks_open", text)).unwrap();
    assert_eq!(call(jit.main(), "asks", 0), 1000 + 0x200);
}

#[test]
fn functions_of_another_layout_are_not_found() {
    let jit = jit(&[]);
    let text = "void *readdir(void *); int asks(void) { return readdir(0) != 0; }";
    jit.main().add_object(mach_object("asks_readdir", text)).unwrap();
    let error = jit.main().lookup("asks").unwrap_err().to_string();
    assert!(error.contains("readdir"), "{error}");
}
