//! Which records are wanted.

use std::iter;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::model::permission::Permission;

/// What was decided on a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// It was let run.
    Allow,
    /// It was refused.
    Deny,
}

/// In which order records are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Direction {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// Which records are wanted: those that all of it holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct SearchQuery {
    /// Whose: the person of a session, or who changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// On which target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// In which database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Statements that touch this object, as records name it (`public.salary`); `*` stands for any letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Statements that need this permission; with `table`, on that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Statements that were let run, or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// Statements of this kind (`select`, `update`, `define`, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Records of this event (`statement_start`, `grant_created`, …). Without it, all but ends of statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// That name this grant, request, token holder's statement or session by its identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Statements with these words, each whole or up to a `*`, in any order; letters' case does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// First instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// First instant after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Records before this number: where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Records behind this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many at most, from 1 to 500; 50 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// Which records are wanted, and how they are given.
pub type Filter = SearchQuery;

impl SearchQuery {
    /// The words of `text`, as the index knows them; a `*` behind one stands for any end.
    pub(super) fn words(&self) -> Vec<String> {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '*');
        let text = self.text.as_deref().unwrap_or_default().to_lowercase();
        let words = text.split(|letter| !is_part(letter)).map(|word| {
            let stem = word.replace('*', "");
            if word.ends_with('*') { format!("{stem}*") } else { stem }
        });
        words.filter(|word| !word.trim_end_matches('*').is_empty()).collect()
    }
}

/// The words of a text in lower case: letters, digits and `_`.
pub(super) fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    iter::from_fn(move || {
        let word = rest.get(first(rest, true)?..)?;
        let (word, behind) = word.split_at_checked(first(word, false).unwrap_or(word.len()))?;
        rest = behind;
        Some(word)
    })
}

/// Where the first letter stands that is part of a word, or the first that is not.
fn first(text: &str, is_part: bool) -> Option<usize> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let at = text.bytes().position(|byte| plain(byte) == is_part || !byte.is_ascii())?;
    let rest = text.get(at..)?;
    let is = |letter: char| (letter.is_alphanumeric() || letter == '_') == is_part;
    rest.find(is).map(|behind| at + behind)
}

/// Whether a name is of a pattern in which `*` stands for any letters.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_and_for_nothing_else() {
        for (pattern, name, is) in [
            ("public.salary", "public.salary", true),
            ("public.salary", "public.salary_old", false),
            ("public.*", "public.salary", true),
            ("*.salary", "hr.salary", true),
            ("*sal*y", "public.salary", true),
            ("public.*x", "public.x", true),
            ("public.x*x", "public.x", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn words_are_letters_digits_and_underscores_of_any_script() {
        for (text, words) in [
            ("", vec![]),
            (" ( , ", vec![]),
            ("select pay_1 from x", vec!["select", "pay_1", "from", "x"]),
            ("«zoë»=ångström,名前 ", vec!["zoë", "ångström", "名前"]),
            ("a\u{a0}b…c", vec!["a", "b", "c"]),
        ] {
            assert_eq!(words_of(text).collect::<Vec<_>>(), words, "{text}");
        }
    }

    #[test]
    fn words_are_taken_apart_as_the_index_does() {
        let query =
            SearchQuery { text: Some("SELECT pay_grade, 'O''Neil' emp*".to_owned()), ..Default::default() };
        assert_eq!(query.words(), ["select", "pay_grade", "o", "neil", "emp*"]);
    }
}
