//! What can be wrong with policy files.

use std::fmt;

use crate::model::failure::{Classify, FailureClass};

/// One thing that is wrong in a policy file, where, and what to write instead.
///
/// Prints as `people.yaml:4:11: unknown group "develpers": write "developers"`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyProblem {
    /// The file, as the caller named it.
    pub path: String,
    /// Line, from 1; 0 if the trouble is with the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 if the trouble is with the file as a whole.
    pub column: u32,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// Not YAML, or not of the shape that the key wants.
    #[error("{message}")]
    Shape {
        /// The reader's words.
        message: String,
    },
    /// A key that the format does not have.
    #[error("unknown key \"{key}\": {}", instead(nearest, known))]
    UnknownKey {
        /// As written.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
        /// All keys that may stand there.
        known: Vec<String>,
    },
    /// A key that must be there is not.
    #[error("key \"{key}\" is missing: add it to this entry")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// The same key, name or certificate twice.
    #[error("{what} \"{name}\" stands here twice{}: keep one", before(first))]
    Duplicate {
        /// What it is: group, principal, role, key, certificate.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it stood first ("people.yaml:3"), if known.
        first: Option<String>,
    },
    /// A name that refers to nothing.
    #[error("unknown {what} \"{name}\": {}", instead(nearest, known))]
    UnknownName {
        /// What it should be: group, permission or role.
        what: &'static str,
        /// As written.
        name: String,
        /// The known name that looks most like it.
        nearest: Option<String>,
        /// Known names.
        known: Vec<String>,
    },
    /// Roles that contain one another.
    #[error("role \"{name}\" contains itself ({path}): take one of them out")]
    RoleCycle {
        /// The role.
        name: String,
        /// The way round ("a → b → a").
        path: String,
    },
    /// A pattern or name that cannot match anything.
    #[error("bad {what} \"{text}\": write {instead}")]
    BadText {
        /// What it is: target, database, object pattern, routine, certificate, name.
        what: &'static str,
        /// As written.
        text: String,
        /// What to write.
        instead: &'static str,
    },
    /// A condition that cannot be read, or names what there is not.
    #[error("bad condition: {problem}")]
    Condition {
        /// What is wrong with it.
        problem: String,
    },
    /// Keys that do not go together.
    #[error("{problem}")]
    Conflict {
        /// Which, and what to write instead.
        problem: &'static str,
    },
    /// Nothing where something must be.
    #[error("{what} is empty: write {instead}")]
    Empty {
        /// What is empty.
        what: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// Over a bound.
    #[error("{what} is over the limit of {limit}: split the policy into several files")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.path, self.kind);
        }
        write!(f, "{}:{}:{}: {}", self.path, self.line, self.column, self.kind)
    }
}

impl Classify for PolicyProblem {
    fn class(&self) -> FailureClass {
        FailureClass::Configuration
    }
}

fn instead(nearest: &Option<String>, known: &[String]) -> String {
    match (nearest, known) {
        (Some(nearest), _) => format!("write \"{nearest}\""),
        (None, []) => "there is none; declare it first".to_owned(),
        (None, known) => format!("write one of {}", known.join(", ")),
    }
}

fn before(first: &Option<String>) -> String {
    first.as_ref().map(|place| format!(" (first in {place})")).unwrap_or_default()
}
