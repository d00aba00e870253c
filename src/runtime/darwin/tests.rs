//! What names stand for, and functions here called as linked code would.

use super::*;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

fn here(name: &str) -> *const () {
    match lookup(name.as_bytes()) {
        Darwin::Here(builtin) => std::ptr::with_exposed_provenance(builtin.address.0 as usize),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn names_are_sorted() {
    assert!(RENAMED.is_sorted() && REFUSED.is_sorted() && arch::DARWIN_REFUSED.is_sorted());
    let names: Vec<_> = table().iter().map(|(name, _)| name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "a name is there twice");
}

#[test]
fn names_lead_to_functions_here_or_to_the_hosts() {
    assert!(matches!(lookup(b"memset_pattern16"), Darwin::Here(_)));
    assert_eq!(lookup(b"__stdoutp"), Darwin::Host(b"stdout"));
    assert_eq!(lookup(b"__error"), Darwin::Host(b"__errno_location"));
    assert_eq!(lookup(b"fopen$DARWIN_EXTSN"), Darwin::Host(b"fopen"));
    assert_eq!(lookup(b"fputs$UNIX2003"), Darwin::Host(b"fputs"));
    assert_eq!(lookup(b"strlen"), Darwin::Host(b"strlen"));
    assert_eq!(lookup(b"readdir$INODE64"), Darwin::Refused);
    assert!(matches!(lookup(b"stat$INODE64"), Darwin::Here(_)));
    for name in ["__stack_chk_guard", "_DefaultRuneLocale"] {
        let Darwin::Here(Builtin { kind: BuiltinKind::Data { size, .. }, .. }) = lookup(name.as_bytes())
        else {
            panic!("{name} is no datum")
        };
        assert!(size >= 8, "{name}");
    }
}

#[test]
#[cfg(target_arch = "aarch64")]
fn functions_of_long_double_are_those_of_double() {
    assert!(arch::OF_DOUBLE.is_sorted());
    for (name, host) in [("sinl", "sin"), ("atan2l", "atan2"), ("truncl", "trunc"), ("strtold", "strtod")] {
        assert_eq!(lookup(name.as_bytes()), Darwin::Host(host.as_bytes()));
    }
    for name in ["ceil", "labs", "l"] {
        assert_eq!(lookup(name.as_bytes()), Darwin::Host(name.as_bytes()), "ends with l by itself");
    }
    assert!(matches!(lookup(b"printf"), Darwin::Here(_)));
    assert_eq!(lookup(b"wprintf"), Darwin::Refused);
}

#[test]
fn patterns_are_repeated_and_cut_off() {
    type Fill = unsafe extern "C" fn(*mut c_void, *const c_void, usize);
    for (name, width) in [("memset_pattern4", 4), ("memset_pattern8", 8), ("memset_pattern16", 16)] {
        // SAFETY: the function of that name has this type.
        let fill: Fill = unsafe { std::mem::transmute(here(name)) };
        let pattern: Vec<u8> = (1..=16).collect();
        for size in 0..40 {
            let mut memory = [0xee_u8; 48];
            // SAFETY: there is room, and the pattern is long enough.
            unsafe { fill(memory.as_mut_ptr().cast(), pattern.as_ptr().cast(), size) };
            let expected = |at: usize| if at < size { pattern[at % width] } else { 0xee };
            assert!((0..48).all(|at| memory[at] == expected(at)), "{name} {size}");
        }
    }
}

#[test]
fn sine_and_cosine_come_in_two_registers() {
    // SAFETY: the functions of these names have these types.
    let (sincos, sincospi) = unsafe {
        type Both = unsafe extern "C" fn(f64) -> math::Pair<f64>;
        (
            std::mem::transmute::<*const (), Both>(here("__sincos_stret")),
            std::mem::transmute::<*const (), Both>(here("__sincospi_stret")),
        )
    };
    // SAFETY: they take any number.
    let (one, half, three) = unsafe { (sincos(1.0), sincospi(0.5), sincospi(-3.0)) };
    assert_eq!((one.sin, one.cos), (1f64.sin(), 1f64.cos()));
    assert_eq!((half.sin, half.cos), (1.0, 0.0));
    assert_eq!((three.sin, three.cos), (0.0, -1.0));
    // SAFETY: as above.
    let third = unsafe { sincospi(1.0 / 3.0) };
    assert!((third.cos - 0.5).abs() < 1e-15);
}

#[test]
fn classes_of_characters_are_the_hosts() {
    // SAFETY: the function of that name has this type.
    let maskrune: extern "C" fn(c_int, std::ffi::c_ulong) -> c_int =
        unsafe { std::mem::transmute(here("__maskrune")) };
    type Host = unsafe extern "C" fn(c_int) -> c_int;
    let classes: [(std::ffi::c_ulong, Host); 11] = [
        (0x100, libc::isalpha),
        (0x200, libc::iscntrl),
        (0x400, libc::isdigit),
        (0x800, libc::isgraph),
        (0x1000, libc::islower),
        (0x2000, libc::ispunct),
        (0x4000, libc::isspace),
        (0x8000, libc::isupper),
        (0x1_0000, libc::isxdigit),
        (0x2_0000, libc::isblank),
        (0x4_0000, libc::isprint),
    ];
    for code in 0..256 {
        for (mask, host) in classes {
            // SAFETY: takes any code of a character.
            assert_eq!(maskrune(code, mask) != 0, unsafe { host(code) } != 0, "{code} {mask:#x}");
        }
    }
}

#[test]
fn files_are_opened_by_darwins_flags() {
    const CREATE_NEW_FOR_WRITING: c_int = 0x200 | 0x800 | 1;
    let dir = tempfile::tempdir().unwrap();
    let path = CString::new(dir.path().join("file").to_str().unwrap()).unwrap();
    // SAFETY: a path, as the function asks for.
    let file = unsafe { files::open(path.as_ptr(), CREATE_NEW_FOR_WRITING, 0o640) };
    assert!(file >= 0);
    // SAFETY: as above.
    assert_eq!(unsafe { files::open(path.as_ptr(), CREATE_NEW_FOR_WRITING, 0o640) }, -1);
    // SAFETY: as above; the flag is none of Darwin's.
    assert_eq!(unsafe { files::open(path.as_ptr(), 0x0080_0000, 0) }, -1);
    const APPEND: usize = 8;
    // SAFETY: commands that take a number; the file is open.
    unsafe {
        assert_eq!(files::fcntl(file, 4, APPEND), 0);
        assert_eq!(files::fcntl(file, 3, 0), 1 | 8);
        assert_eq!(libc::write(file, c"hello".as_ptr().cast(), 5), 5);
    }
    let mut stat = [0u8; 144];
    // SAFETY: there is room for the structure, which may be written at any address that is a multiple of 8.
    let stat = unsafe {
        assert_eq!(files::stat(path.as_ptr(), stat.as_mut_ptr().cast()), 0);
        assert_eq!(libc::close(file), 0);
        stat
    };
    assert_eq!(i64::from_le_bytes(stat[96..104].try_into().unwrap()), 5, "size");
    assert_eq!(u16::from_le_bytes(stat[4..6].try_into().unwrap()) & 0o170_000, 0o100_000, "a file");
}

#[test]
fn mutexes_with_darwins_initial_values_are_the_hosts_after_their_first_use() {
    type OfMutex = unsafe extern "C-unwind" fn(*mut [u64; 8]) -> c_int;
    // SAFETY: the functions of these names have this type.
    let [lock, try_lock, unlock] = unsafe {
        ["pthread_mutex_lock", "pthread_mutex_trylock", "pthread_mutex_unlock"]
            .map(|name| std::mem::transmute::<*const (), OfMutex>(here(name)))
    };
    let mut plain = [0u64; 8];
    plain[0] = 0x32aa_aba7;
    let mut recursive = [0u64; 8];
    recursive[0] = 0x32aa_aba2;
    // SAFETY: mutexes, locked and unlocked by this thread.
    unsafe {
        assert_eq!(lock(&raw mut plain), 0);
        assert_eq!(try_lock(&raw mut plain), libc::EBUSY);
        assert_eq!(unlock(&raw mut plain), 0);
        assert_eq!(lock(&raw mut recursive), 0);
        assert_eq!(try_lock(&raw mut recursive), 0, "once more by the same thread");
        assert_eq!(unlock(&raw mut recursive), 0);
        assert_eq!(unlock(&raw mut recursive), 0);
    }
}

#[test]
fn formats_say_double_for_long_double() {
    use variadic::{Direction, without_long_double};
    for (format, output) in [
        (c"plain", c"plain"),
        (c"%Lf %.3Lg %-*Le", c"%lf %.3lg %-*le"),
        (c"%% Lf %%Lf %d%La", c"%% Lf %%Lf %d%la"),
        (c"%Ld %2$Lf", c"%Ld %2$lf"),
        (c"%L", c"%L"),
        (c"%", c"%"),
    ] {
        assert_eq!(&*without_long_double(format, Direction::Output), output);
    }
    let sets = c"%[^]L%Lf] %Lf %[L";
    assert_eq!(&*without_long_double(sets, Direction::Input), c"%[^]L%Lf] %lf %[L");
}

#[test]
fn strings_are_cut_to_fit() {
    type Copy = unsafe extern "C" fn(*mut c_char, *const c_char, usize) -> usize;
    // SAFETY: the functions of these names have this type.
    let [copy, append] =
        unsafe { ["strlcpy", "strlcat"].map(|name| std::mem::transmute::<*const (), Copy>(here(name))) };
    let mut text = [0x7f as c_char; 8];
    // SAFETY: the sizes are those of the array; its contents end with a zero after the first call.
    unsafe {
        assert_eq!(copy(text.as_mut_ptr(), c"abcd".as_ptr(), 8), 4);
        assert_eq!(append(text.as_mut_ptr(), c"efghi".as_ptr(), 8), 9);
        assert_eq!(CStr::from_ptr(text.as_ptr()), c"abcdefg");
        assert_eq!(copy(text.as_mut_ptr(), c"xyz".as_ptr(), 0), 3);
        assert_eq!(CStr::from_ptr(text.as_ptr()), c"abcdefg");
    }
}

#[test]
fn signals_have_numbers_both_ways() {
    for number in 0..32 {
        if let Some(host) = signals::to_host(number) {
            assert_eq!(signals::from_host(host), number);
        }
    }
    assert_eq!(signals::to_host(30), Some(libc::SIGUSR1));
    assert_eq!(signals::to_host(11), Some(libc::SIGSEGV));
    assert_eq!([7, 29, 32, -1].map(signals::to_host), [None; 4]);
}
