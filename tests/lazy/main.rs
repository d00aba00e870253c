//! Redirectable symbols, and functions that are linked when they are first called.
//!
//! # Safety
//! Calls functions of objects that the tests compile; they are what their casts say.
#![allow(unsafe_code)]

mod calls;
mod objects;
mod redirectable;
mod reexports;
mod replace;
#[path = "../sessions/support.rs"]
#[allow(dead_code)]
mod support;
