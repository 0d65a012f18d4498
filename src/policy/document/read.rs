//! YAML to values: the one place that knows the YAML reader.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::{PolicyFile, names::nearest};
use crate::policy::error::{PolicyProblem, ProblemKind};

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct At<'f> {
    pub(in crate::policy) path: &'f str,
    pub(in crate::policy) line: u32,
    pub(in crate::policy) column: u32,
}

impl At<'_> {
    /// A problem with what stands here.
    pub(in crate::policy) fn problem(&self, kind: ProblemKind) -> PolicyProblem {
        PolicyProblem { path: self.path.to_owned(), line: self.line, column: self.column, kind }
    }
}

/// Where `value` is used; through an alias, where the alias stands.
pub(in crate::policy) fn locate<'f, T>(file: &'f PolicyFile, value: &Spanned<T>) -> At<'f> {
    at(file, Some(value.referenced))
}

/// Reads one file; a file without content gives the default.
///
/// # Errors
/// The first thing that is not YAML, not of the format, or over a bound.
pub(in crate::policy) fn read<T: DeserializeOwned + Default>(file: &PolicyFile) -> Result<T, PolicyProblem> {
    if file.text.len() > FILE_BYTES {
        return Err(at(file, None).problem(ProblemKind::TooLarge { what: "the file", limit: FILE_BYTES }));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_nodes: NODES,
            max_events: 4 * NODES,
            max_aliases: ALIASES,
            max_anchors: ALIASES,
            max_recorded_anchor_events: NODES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES,
            max_replay_stack_depth: DEPTH,
            max_alias_expansions_per_anchor: ALIASES,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Option<T>>(&file.text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| at(file, error.location()).problem(kind(error.without_snippet())))
}

fn at(file: &PolicyFile, location: Option<Location>) -> At<'_> {
    let (line, column) = location.map_or((0, 0), |at| (at.line() as u32, at.column() as u32));
    At { path: &file.path, line, column }
}

fn kind(error: &Error) -> ProblemKind {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => ProblemKind::UnknownKey {
            key: field.clone(),
            nearest: nearest(field, expected.iter().copied()),
            known: expected.iter().map(ToString::to_string).collect(),
        },
        Error::SerdeUnknownVariant { variant, expected, .. } => ProblemKind::UnknownName {
            what: "word",
            name: variant.clone(),
            nearest: nearest(variant, expected.iter().copied()),
            known: expected.iter().map(ToString::to_string).collect(),
        },
        Error::SerdeMissingField { field, .. } => ProblemKind::MissingKey { key: (*field).to_owned() },
        Error::DuplicateMappingKey { key, .. } => {
            ProblemKind::Duplicate { what: "key", name: key.clone().unwrap_or_default(), first: None }
        }
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => ProblemKind::Shape {
            message: "the file has too many values, levels or aliases: split it, or write aliases out"
                .to_owned(),
        },
        other => ProblemKind::Shape { message: UserMessageFormatter.format_message(other).into_owned() },
    }
}

/// Most bytes of one file.
const FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most levels of nesting; the format itself has six.
const DEPTH: usize = 32;
/// Most values in one file, aliases followed.
const NODES: usize = 500_000;
/// Most aliases in one file.
const ALIASES: usize = 1_000;
