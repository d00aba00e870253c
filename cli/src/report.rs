//! What goes to standard error: one message a line, each saying what it is.

use crate::progress::give_way;
use std::fmt::Display;
use std::io::Write;

/// The user has been told what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported;

/// The result of a step that tells the user itself what went wrong.
pub(crate) type Outcome<T> = Result<T, Reported>;

/// Reports an error; one that lists several things is one error for each of its lines.
#[cold]
pub(crate) fn error(error: &dyn Display) -> Reported {
    lines("error", error);
    Reported
}

/// Reports something that was not done as asked.
#[cold]
pub(crate) fn warning(warning: &dyn Display) {
    lines("warning", warning);
}

fn lines(kind: &str, message: &dyn Display) {
    let message = message.to_string();
    print(&message.lines().map(|line| format!("{kind}: {line}\n")).collect::<String>());
}

/// Prints to standard error.
pub(crate) fn print(text: &str) {
    // There is nowhere to say that standard error is closed.
    give_way(|| drop(std::io::stderr().lock().write_all(text.as_bytes())));
}

/// The value, or the report of why there is none.
pub(crate) trait OrReport<T> {
    /// Reports the error, if it is one.
    fn or_report(self) -> Outcome<T>;
}

impl<T, E: Display> OrReport<T> for Result<T, E> {
    fn or_report(self) -> Outcome<T> {
        self.map_err(|cause| error(&cause))
    }
}
