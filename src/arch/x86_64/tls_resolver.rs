//! The resolver function of TLS descriptors and `__tls_get_addr` in images: they find the calling thread's block in the
//! thread's table, and leave what is not there to the functions that make blocks.
//!
//! They are part of each image that uses them, since a call that leaves the surrounding 4 GiB costs as much as all else they
//! do.

use crate::arch::{ThreadTable, put};

/// Where `__tls_get_addr` starts, and the size of both in bytes.
pub(super) const GET_ADDR: usize = 96;
pub(super) const SIZE: usize = 192;

/// Where the offsets of length and table from the thread pointer are, and the address of the other function.
const LENGTH: usize = 22;
const TABLE: usize = 33;
const RESOLVER: usize = 79;

#[rustfmt::skip]
const TEMPLATE: [u8; 79] = [
    0xf3, 0x0f, 0x1e, 0xfa,                               // endbr64
    0x48, 0x89, 0x4c, 0x24, 0xf8,                         // mov %rcx, -8(%rsp)
    0x48, 0x89, 0x54, 0x24, 0xf0,                         // mov %rdx, -16(%rsp)
    0x8b, 0x50, 0x0c,                                     // mov 12(%rax), %edx: the module
    0x64, 0x48, 0x3b, 0x14, 0x25, 0, 0, 0, 0,             // cmp %fs:length, %rdx
    0x73, 0x23,                                           // jae 1f
    0x64, 0x48, 0x8b, 0x0c, 0x25, 0, 0, 0, 0,             // mov %fs:table, %rcx
    0x48, 0x8b, 0x0c, 0xd1,                               // mov (%rcx,%rdx,8), %rcx: the block
    0x48, 0x85, 0xc9,                                     // test %rcx, %rcx
    0x74, 0x11,                                           // je 1f
    0x8b, 0x40, 0x08,                                     // mov 8(%rax), %eax: the offset in it
    0x48, 0x01, 0xc8,                                     // add %rcx, %rax
    0x48, 0x8b, 0x4c, 0x24, 0xf8,                         // mov -8(%rsp), %rcx
    0x48, 0x8b, 0x54, 0x24, 0xf0,                         // mov -16(%rsp), %rdx
    0xc3,                                                 // ret
    0x48, 0x8b, 0x4c, 0x24, 0xf8,                         // 1: mov -8(%rsp), %rcx
    0x48, 0x8b, 0x54, 0x24, 0xf0,                         // mov -16(%rsp), %rdx
    0xff, 0x25, 0x00, 0x00, 0x00, 0x00,                   // jmp *2f(%rip); 2: its address follows
];

#[rustfmt::skip]
const GET_ADDR_TEMPLATE: [u8; 59] = [
    0xf3, 0x0f, 0x1e, 0xfa,                               // endbr64
    0x48, 0x8b, 0x07,                                     // mov (%rdi), %rax: the complement of the module
    0x48, 0xf7, 0xd0,                                     // not %rax
    0x64, 0x48, 0x3b, 0x04, 0x25, 0, 0, 0, 0,             // cmp %fs:length, %rax
    0x73, 0x20,                                           // jae 1f
    0x64, 0x48, 0x8b, 0x0c, 0x25, 0, 0, 0, 0,             // mov %fs:table, %rcx
    0x48, 0x8b, 0x04, 0xc1,                               // mov (%rcx,%rax,8), %rax: the block
    0x48, 0x85, 0xc0,                                     // test %rax, %rax
    0x74, 0x0e,                                           // je 1f
    0x48, 0x03, 0x47, 0x08,                               // add 8(%rdi), %rax: the offset in it
    0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0,             // add %fs:0, %rax
    0xc3,                                                 // ret
    0xff, 0x25, 0x00, 0x00, 0x00, 0x00,                   // 1: jmp *2f(%rip); 2: its address follows
];

/// Writes the functions; none where the table is out of reach of the thread pointer.
pub(super) fn write(bytes: &mut [u8], table: ThreadTable) -> Option<()> {
    let offset = i32::try_from(table.thread_offset).ok()?;
    put(bytes, 0, TEMPLATE)?;
    put(bytes, LENGTH, offset.checked_add(8)?.to_le_bytes())?;
    put(bytes, TABLE, offset.to_le_bytes())?;
    put(bytes, RESOLVER, table.resolver.to_le_bytes())?;
    let bytes = bytes.get_mut(GET_ADDR..)?;
    put(bytes, 0, GET_ADDR_TEMPLATE)?;
    put(bytes, 15, offset.checked_add(8)?.to_le_bytes())?;
    put(bytes, 26, offset.to_le_bytes())?;
    put(bytes, 59, table.get_addr.to_le_bytes())
}
