//! Files: flags by other numbers, and `struct stat`.

use super::super::arch;
use super::{Function, fail};
use std::ffi::{c_char, c_int, c_uint, c_void};

unsafe extern "C-unwind" {
    // A point where threads are cancelled, which unwinds.
    #[link_name = "openat"]
    fn host_openat(directory: c_int, path: *const c_char, flags: c_int, ...) -> c_int;
}

pub(super) const FUNCTIONS: &[Function] = &[
    ("fcntl", arch::darwin_fcntl as *const ()),
    ("fstat$INODE64", fstat as *const ()),
    ("fstatat$INODE64", fstatat as *const ()),
    ("lstat$INODE64", lstat as *const ()),
    ("mmap", mmap as *const ()),
    ("open", arch::darwin_open as *const ()),
    ("openat", arch::darwin_openat as *const ()),
    ("stat$INODE64", stat as *const ()),
];

/// Flags of Darwin's `fcntl.h` with the host's; the two bits of the access mode are the same.
const OPEN_FLAGS: [(c_int, c_int); 11] = [
    (0x0000_0004, libc::O_NONBLOCK),
    (0x0000_0008, libc::O_APPEND),
    (0x0000_0040, libc::O_ASYNC),
    (0x0000_0080, libc::O_SYNC),
    (0x0000_0100, libc::O_NOFOLLOW),
    (0x0000_0200, libc::O_CREAT),
    (0x0000_0400, libc::O_TRUNC),
    (0x0000_0800, libc::O_EXCL),
    (0x0002_0000, libc::O_NOCTTY),
    (0x0010_0000, libc::O_DIRECTORY),
    (0x0100_0000, libc::O_CLOEXEC),
];

const ACCESS_MODE: c_int = 3;

/// The host's flags for Darwin's; none if there is one that the host does not have.
fn to_host(flags: c_int) -> Option<c_int> {
    let known = OPEN_FLAGS.iter().fold(ACCESS_MODE, |all, (darwin, _)| all | darwin);
    let translate = |all, (darwin, host): &(c_int, c_int)| if flags & darwin != 0 { all | host } else { all };
    (flags & !known == 0).then(|| OPEN_FLAGS.iter().fold(flags & ACCESS_MODE, translate))
}

fn from_host(flags: c_int) -> c_int {
    let translate =
        |all, (darwin, host): &(c_int, c_int)| if flags & host == *host { all | darwin } else { all };
    OPEN_FLAGS.iter().fold(flags & ACCESS_MODE, translate)
}

pub(in crate::runtime) unsafe extern "C-unwind" fn open(
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

pub(in crate::runtime) unsafe extern "C-unwind" fn openat(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    let Some(flags) = to_host(flags) else { return fail(libc::EINVAL) };
    // SAFETY: the caller gives a path; the mode is looked at where a file is made only.
    unsafe { host_openat(host_directory(directory), path, flags, mode) }
}

/// `AT_FDCWD` is -2 on Darwin.
fn host_directory(directory: c_int) -> c_int {
    if directory == -2 { libc::AT_FDCWD } else { directory }
}

/// `fcntl`, for descriptors and their flags; locks have another layout.
pub(in crate::runtime) unsafe extern "C" fn fcntl(file: c_int, command: c_int, argument: usize) -> c_int {
    const DUPLICATE_CLOSING: c_int = 67;
    let argument = argument as c_int;
    // SAFETY: these commands take a number, and no pointer.
    unsafe {
        match command {
            libc::F_DUPFD | libc::F_GETFD | libc::F_SETFD => libc::fcntl(file, command, argument),
            libc::F_GETFL => match libc::fcntl(file, command) {
                -1 => -1,
                flags => from_host(flags),
            },
            libc::F_SETFL => match to_host(argument) {
                Some(flags) => libc::fcntl(file, command, flags),
                None => fail(libc::EINVAL),
            },
            DUPLICATE_CLOSING => libc::fcntl(file, libc::F_DUPFD_CLOEXEC, argument),
            _ => fail(libc::EINVAL),
        }
    }
}

unsafe extern "C" fn mmap(
    address: *mut c_void,
    size: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
) -> *mut c_void {
    /// `MAP_SHARED`, `MAP_PRIVATE` and `MAP_FIXED`.
    const SAME: c_int = 0x13;
    const NO_RESERVE: c_int = 0x40;
    const JIT: c_int = 0x800;
    const ANONYMOUS: c_int = 0x1000;
    if flags & !(SAME | NO_RESERVE | JIT | ANONYMOUS) != 0 {
        fail(libc::EINVAL);
        return libc::MAP_FAILED;
    }
    let mut host = flags & SAME;
    if flags & ANONYMOUS != 0 {
        host |= libc::MAP_ANONYMOUS;
    }
    if flags & NO_RESERVE != 0 {
        host |= libc::MAP_NORESERVE;
    }
    // SAFETY: the caller's promise is the same.
    unsafe { libc::mmap(address, size, protection, host, file, offset) }
}

/// Darwin's `struct stat` with inode numbers of 64 bits.
#[repr(C)]
#[derive(Default)]
pub(in crate::runtime) struct Stat {
    device: i32,
    mode: u16,
    links: u16,
    inode: u64,
    user: u32,
    group: u32,
    special_device: i32,
    accessed: [i64; 2],
    modified: [i64; 2],
    changed: [i64; 2],
    born: [i64; 2],
    size: i64,
    blocks: i64,
    block_size: i32,
    flags: u32,
    generation: u32,
    spare: [i32; 5],
}

const _: () = assert!(size_of::<Stat>() == 144 && std::mem::offset_of!(Stat, size) == 96);

/// Fills `out` by a function of the host.
unsafe fn translate(out: *mut Stat, call: impl FnOnce(*mut libc::stat) -> c_int) -> c_int {
    let mut host = std::mem::MaybeUninit::uninit();
    let result = call(host.as_mut_ptr());
    if result == 0 {
        // SAFETY: filled, since the call succeeded.
        let host = unsafe { host.assume_init() };
        let stat = Stat {
            device: host.st_dev as i32,
            mode: host.st_mode as u16,
            links: host.st_nlink as u16,
            inode: host.st_ino,
            user: host.st_uid,
            group: host.st_gid,
            special_device: host.st_rdev as i32,
            accessed: [host.st_atime, host.st_atime_nsec],
            modified: [host.st_mtime, host.st_mtime_nsec],
            changed: [host.st_ctime, host.st_ctime_nsec],
            born: [host.st_ctime, host.st_ctime_nsec],
            size: host.st_size,
            blocks: host.st_blocks,
            block_size: host.st_blksize as i32,
            ..Stat::default()
        };
        // SAFETY: the caller gives room for the structure.
        unsafe { out.write(stat) };
    }
    result
}

pub(in crate::runtime) unsafe extern "C" fn stat(path: *const c_char, out: *mut Stat) -> c_int {
    // SAFETY: the caller's promise is the same, but for the layout.
    unsafe { translate(out, |host| libc::stat(path, host)) }
}

pub(in crate::runtime) unsafe extern "C" fn lstat(path: *const c_char, out: *mut Stat) -> c_int {
    // SAFETY: as in `stat`.
    unsafe { translate(out, |host| libc::lstat(path, host)) }
}

pub(in crate::runtime) unsafe extern "C" fn fstat(file: c_int, out: *mut Stat) -> c_int {
    // SAFETY: as in `stat`.
    unsafe { translate(out, |host| libc::fstat(file, host)) }
}

pub(in crate::runtime) unsafe extern "C" fn fstatat(
    directory: c_int,
    path: *const c_char,
    out: *mut Stat,
    flags: c_int,
) -> c_int {
    const NO_FOLLOW: c_int = 0x20;
    let flags = if flags & NO_FOLLOW != 0 { libc::AT_SYMLINK_NOFOLLOW } else { 0 };
    // SAFETY: as in `stat`.
    unsafe { translate(out, |host| libc::fstatat(host_directory(directory), path, host, flags)) }
}
