//! What an `=>` line asks of facts.

use std::collections::BTreeSet;

use tidegate::model::{
    facts::{AccessMode, Facts, Runs, Unanalyzable},
    object::Object,
};

/// Any of some lists, and flags.
pub(crate) struct Want {
    text: String,
    alternatives: Vec<Vec<Item>>,
    read_only: Option<bool>,
    runs: Option<String>,
}

#[derive(PartialEq)]
enum Item {
    Access(String),
    Admin,
    Call(String),
    Gated,
    Guarded,
    More,
    Refused,
    Use,
}

impl Want {
    pub(crate) fn parse(line: &str, place: &str) -> Self {
        let (what, flags) = line.split_once(" | ").unwrap_or((line, ""));
        let mut want =
            Self { text: line.trim().to_owned(), alternatives: Vec::new(), read_only: None, runs: None };
        for alternative in what.trim().split(" or ") {
            want.alternatives
                .push(alternative.split("; ").map(|item| Item::parse(item.trim(), place)).collect());
        }
        for flag in flags.split(" | ").map(str::trim).filter(|flag| !flag.is_empty()) {
            match flag {
                "read" => want.read_only = Some(true),
                "write" => want.read_only = Some(false),
                _ => {
                    want.runs =
                        Some(flag.strip_prefix("runs ").unwrap_or_else(|| panic!("{place}: {flag}")).into())
                }
            }
        }
        want
    }

    /// Whether a batch with this line may be refused as a whole.
    pub(crate) fn allows_refusal(&self) -> bool {
        let refused = |item| matches!(item, &Item::Refused | &Item::Gated | &Item::Guarded);
        self.alternatives.iter().flatten().any(refused)
    }

    /// What is wrong with the facts, if anything is.
    pub(crate) fn problem(&self, facts: &Facts) -> Option<String> {
        let found = Found::of(facts);
        if !self.alternatives.iter().any(|items| found.fits(items)) {
            return Some(format!("wanted {}, found {found}", self.text));
        }
        if let Some(read_only) = self.read_only
            && read_only != facts.read_only
        {
            return Some(format!("wanted {}, found read_only = {}", self.text, facts.read_only));
        }
        let runs = facts.runs.as_ref().map(|runs| match runs {
            Runs::Prepared { name, .. } => format!("prepared {name}"),
            Runs::Cursor(name) => format!("cursor {name}"),
        });
        if self.runs != runs {
            return Some(format!("wanted {}, found that it runs {runs:?}", self.text));
        }
        None
    }

    pub(crate) fn problem_of_refusal(&self, error: &Unanalyzable) -> Option<String> {
        (!self.allows_refusal())
            .then(|| format!("wanted {}, found it refused: {error} ({error:?})", self.text))
    }
}

impl Item {
    fn parse(text: &str, place: &str) -> Self {
        match text {
            "..." => Self::More,
            "admin" => Self::Admin,
            "call" => Self::Call(String::new()),
            "gated" => Self::Gated,
            "guarded" => Self::Guarded,
            "refused" => Self::Refused,
            "use" => Self::Use,
            _ => match text.split_once(' ') {
                Some(("call", name)) => Self::Call(name.to_owned()),
                Some(("explain" | "select" | "export" | "dml" | "ddl", _)) => Self::Access(text.to_owned()),
                _ => panic!("{place}: \"{text}\" means nothing"),
            },
        }
    }
}

/// Facts in the words of the corpus.
struct Found {
    accesses: BTreeSet<String>,
    calls: Vec<String>,
    administers: bool,
    defines: bool,
}

impl Found {
    fn of(facts: &Facts) -> Self {
        let mut found =
            Self { accesses: BTreeSet::new(), calls: Vec::new(), administers: false, defines: false };
        for access in &facts.accesses {
            found.defines |= access.mode == AccessMode::Define;
            match (&access.object, access.mode.permission()) {
                (Object::Routine { name }, Some(_)) => found.calls.push(name.to_string()),
                (_, Some(_)) if access.mode == AccessMode::Administer => found.administers = true,
                (object, Some(permission)) => {
                    found.accesses.insert(format!("{permission} {}", words(object)));
                }
                (_, None) => {}
            }
        }
        found.calls.extend(facts.calls.iter().map(|call| call.name.to_string()));
        found
    }

    /// Calls ask for it too, unless policy vouches for the routine.
    fn needs_admin(&self) -> bool {
        self.administers || !self.calls.is_empty()
    }

    fn fits(&self, items: &[Item]) -> bool {
        let calls_fit = |name: &String| self.calls.iter().any(|call| call.contains(name.as_str()));
        let mut listed = BTreeSet::new();
        let mut listed_calls = Vec::new();
        for item in items {
            let holds = match item {
                Item::Access(text) => {
                    listed.insert(text.clone());
                    self.accesses.contains(text)
                }
                Item::Admin | Item::Guarded => return self.needs_admin(),
                Item::Call(name) => {
                    listed_calls.push(name);
                    calls_fit(name)
                }
                Item::Gated => return self.defines || self.needs_admin(),
                Item::More | Item::Use => true,
                Item::Refused => return false,
            };
            if !holds {
                return false;
            }
        }
        let known_call = |call: &String| listed_calls.iter().any(|name| call.contains(name.as_str()));
        items.contains(&Item::More)
            || !self.administers && self.accesses == listed && self.calls.iter().all(known_call)
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, calls {:?}, administers: {}", self.accesses, self.calls, self.administers)
    }
}

fn words(object: &Object) -> String {
    match object {
        Object::Database => "database".to_owned(),
        Object::Relation { schema, name } => format!("{schema}.{name}"),
        Object::Unresolved { name } => format!("?{name}"),
        Object::Schema { name } => format!("schema:{name}"),
        Object::Routine { name } => format!("routine:{name}"),
        Object::OtherDatabase { name } => format!("database:{name}"),
        Object::Server { what } => format!("server:{what}"),
    }
}
