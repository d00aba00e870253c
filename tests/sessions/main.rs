//! Sessions: what is added is linked when wanted, looked up, removed, and linked again.
//!
//! # Safety
//! Calls functions of objects that the tests compile; they are what their casts say.
#![allow(unsafe_code)]

mod adopted;
mod callbacks;
mod darwin;
mod definitions;
mod dylibs;
mod ends;
mod exit_handlers;
mod failures;
mod initializers;
mod opening;
#[allow(dead_code)]
mod support;
mod symbolize;
mod thread_locals;
mod threads;
mod trackers;
mod units;
mod visible;
