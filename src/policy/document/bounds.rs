//! Bounds of sessions, connections and time: checked, every bound in its place.

use std::{ops::RangeInclusive, time::Duration};

use serde_saphyr::Spanned;

use super::{
    compile::{Compiler, PolicyFile, bad},
    format::{BoundsEntry, Text},
};
use crate::policy::{
    bounds::{Bounds, BoundsRule},
    error::ProblemKind,
};

impl Compiler {
    pub(super) fn bounds(&mut self, file: &PolicyFile, spanned: &Spanned<BoundsEntry>) {
        let entry = &spanned.value;
        let to = entry.to.as_ref().map(|to| self.holder(file, to));
        let target = self.glob(file, "target", &entry.target);
        let permissions = entry.permissions.as_ref().map(|them| self.permissions(file, "permissions", them));
        let bounds = Bounds {
            sessions: self.number(file, "sessions", entry.sessions.as_ref(), NUMBERS),
            connections: self.number(file, "connections", entry.connections.as_ref(), NUMBERS),
            connections_percent: self
                .number(file, "connections_percent", entry.connections_percent.as_ref(), PERCENT)
                .and_then(|percent| u8::try_from(percent).ok()),
            statement: self.time(file, "statement_timeout", entry.statement_timeout.as_ref()),
            idle_in_transaction: self.time(
                file,
                "idle_in_transaction_timeout",
                entry.idle_in_transaction_timeout.as_ref(),
            ),
            transaction: self.time(file, "transaction_timeout", entry.transaction_timeout.as_ref()),
        };
        let time_alone = Bounds { statement: bounds.statement, ..Bounds::default() };
        if bounds == Bounds::default() {
            self.report(
                file,
                spanned,
                ProblemKind::Empty { what: "the limit", instead: "at least one bound" },
            );
        } else if permissions.is_some() && bounds != time_alone {
            let problem = "\"permissions\" goes with \"statement_timeout\" alone: write the other bounds in an entry of \
                           their own";
            self.report(file, spanned, ProblemKind::Conflict { problem });
        }
        // A holder that is none was reported.
        if let (Some(target), None | Some(Some(_))) = (target, &to) {
            self.policy.bounds.push(BoundsRule { to: to.flatten(), target, permissions, bounds });
        }
    }

    fn number(
        &mut self,
        file: &PolicyFile,
        what: &'static str,
        number: Option<&Spanned<u32>>,
        (fits, instead): (RangeInclusive<u32>, &'static str),
    ) -> Option<u32> {
        let number = number?;
        if !fits.contains(&number.value) {
            self.report(file, number, bad(what, &number.value.to_string(), instead));
        }
        Some(number.value)
    }

    fn time(&mut self, file: &PolicyFile, what: &'static str, text: Option<&Text>) -> Option<Duration> {
        let seconds = self.seconds(file, what, text?)?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }
}

const NUMBERS: (RangeInclusive<u32>, &str) = (1..=1_000_000, "a number from 1 to 1000000");
const PERCENT: (RangeInclusive<u32>, &str) = (1..=100, "a number from 1 to 100");

#[cfg(test)]
mod tests {
    use crate::policy::{fixture::file, parse};

    fn problem(entry: &str) -> String {
        let text = format!("limits: [ {entry} ]");
        let problems = parse(&[file("p.yaml", &text)]).map(drop).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_bound_that_is_none_names_its_place() {
        for (entry, said) in [
            ("{ target: hr }", "the limit is empty"),
            ("{ target: hr, sessions: 0 }", "bad sessions \"0\""),
            ("{ target: hr, connections_percent: 101 }", "a number from 1 to 100"),
            ("{ target: hr, statement_timeout: soon }", "bad statement_timeout \"soon\""),
            ("{ target: hr, permissions: [select], sessions: 3 }", "goes with \"statement_timeout\" alone"),
            ("{ target: hr, permissions: [selct], statement_timeout: 1m }", "write \"select\""),
            ("{ target: hr, to: { group: nobody }, sessions: 3 }", "unknown group \"nobody\""),
            ("{ target: hr, session: 3 }", "unknown key \"session\""),
        ] {
            let found = problem(entry);
            assert!(found.contains(said), "{entry}: {found}");
        }
    }
}
