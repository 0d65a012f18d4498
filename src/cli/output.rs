//! Printing for people and for programs.

use std::{
    fmt,
    io::{self, Write},
    process::{self, ExitCode},
};

use comfy_table::{ContentArrangement, Table, presets};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// `println!` that does not panic when nobody reads on (`| head -1`).
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::output::print_line(format_args!($($words)*)) };
}

/// `eprintln!` that does not panic when nobody reads on.
macro_rules! complain {
    ($($words:tt)*) => { $crate::cli::output::print_complaint(format_args!($($words)*)) };
}

pub(super) use {complain, say};

/// A reader that has read enough is no failure. Any other is: a secret that is shown once may be what is lost.
pub(super) fn print_line(words: fmt::Arguments<'_>) {
    match writeln!(io::stdout().lock(), "{words}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain!("error: could not write to standard output: {error}");
            process::exit(1);
        }
        Ok(()) | Err(_) => {}
    }
}

/// Where else could it be told that this fails?
pub(super) fn print_complaint(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}

/// Prints `answer` as JSON if that was asked for, otherwise as `people` would have it.
pub(super) fn show<A: Serialize>(
    json: bool,
    answer: &A,
    people: impl FnOnce(&A),
) -> anyhow::Result<ExitCode> {
    if json {
        say!("{}", serde_json::to_string_pretty(answer)?);
    } else {
        people(answer);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints rows under a head, or `nothing` if there are none.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>, nothing: &str) {
    if rows.is_empty() {
        say!("{nothing}");
        return;
    }
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)));
    }
    for line in table.lines() {
        say!("{}", line.trim());
    }
}

/// `text` without what would command a terminal; line ends stay.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter })
        .collect()
}

/// Words with ", " between them, or "-".
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// "1 file", "2 files".
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// An instant to the second.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// A span in its two largest units ("1h 5m").
pub(super) fn span(seconds: i64) -> String {
    let seconds = SignedDuration::from_secs(seconds.max(0)).as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = Vec::new();
    for (unit, letter) in units {
        if rest >= unit {
            words.push(format!("{}{letter}", rest / unit));
            rest %= unit;
        }
    }
    words.truncate(2);
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_two_units() {
        for (seconds, words) in [(0, "0s"), (59, "59s"), (120, "2m"), (3_905, "1h 5m"), (90_061, "1d 1h")] {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn what_a_client_calls_itself_cannot_command_the_terminal() {
        assert_eq!(clean("psql\u{1b}[2J"), "psql\u{fffd}[2J");
    }
}
