//! What a statement touches, and the patterns by which a grant names it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    dialect::Dialect,
    ids::{DatabaseName, Ident},
};

/// Something in, or around, a database that an access is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Object {
    /// The session's database as a whole; any live grant on it matches an access of mode `Use`.
    Database,
    /// A relation: table, view, sequence, index, type, foreign table.
    Relation {
        /// Schema; in MySQL the database.
        schema: Ident,
        /// Its own name.
        name: Ident,
    },
    /// A relation whose schema cannot be known. Only a database-wide grant matches.
    Unresolved {
        /// Its own name.
        name: Ident,
    },
    /// A schema itself (not what is in it). Matched by `schema.*` and by database-wide grants.
    Schema {
        /// Its name.
        name: Ident,
    },
    /// A routine, operator, cast or type that runs code. Only a database-wide grant matches.
    Routine {
        /// As written, qualified if it was.
        name: Ident,
    },
    /// Another database than the session's. Matched by database-wide grants on that database.
    OtherDatabase {
        /// Its name.
        name: DatabaseName,
    },
    /// The server or something that belongs to no one schema: roles, settings, files, sessions.
    /// Only a database-wide grant matches.
    Server {
        /// What of it, in the words of the manual ("role", "server file", "setting log_statement").
        what: Ident,
    },
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("the database"),
            Self::Relation { schema, name } => write!(f, "{schema}.{name}"),
            Self::Unresolved { name } => write!(f, "{name} (schema unknown)"),
            Self::Schema { name } => write!(f, "schema {name}"),
            Self::Routine { name } => write!(f, "routine {name}"),
            Self::OtherDatabase { name } => write!(f, "database {name}"),
            Self::Server { what } => write!(f, "{what}"),
        }
    }
}

/// A name, or part of one, in which `*` stands for any characters (also none).
///
/// Compared with the name as the server folded it; case counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

impl Glob {
    /// Takes a pattern as it is.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches every name.
    pub fn is_any(&self) -> bool {
        &*self.0 == "*"
    }

    /// Whether every name that fits `other` surely fits this one, too.
    ///
    /// A star of `other` must fall into a star of this one; what is in doubt is no.
    pub fn contains(&self, other: &Self) -> bool {
        self.matches(other.as_str())
    }

    /// Whether the whole of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(rest) = pieces.next().and_then(|head| name.strip_prefix(head)) else {
            return false;
        };
        let mut rest = rest;
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            let Some(at) = rest.find(piece) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?.into()))
    }
}

/// Which objects of a database a grant is on: `*` (database-wide), `schema.relation`, or in MySQL, where a database
/// has no schemas, a bare `relation`; each part is a [`Glob`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ObjectPattern {
    /// `*`: everything in the database, and what belongs to no schema.
    All,
    /// `relation`, for example `employee`, `audit_*`: in the grant's own database. Reaches nothing where databases
    /// have schemas.
    Name(Glob),
    /// `schema.relation`, for example `public.employee`, `public.*`, `*.audit_*`.
    Relation {
        /// Pattern of the schema.
        schema: Glob,
        /// Pattern of the relation's own name.
        name: Glob,
    },
}

impl ObjectPattern {
    /// Whether a grant on this pattern reaches `object`.
    ///
    /// Names that are not known for sure are reached by [`ObjectPattern::All`] alone.
    pub fn matches(&self, object: &Object, dialect: Dialect) -> bool {
        match (self, object) {
            (Self::All, _) => true,
            // The relation's database is held against the grant's; here its own name is left.
            (Self::Name(name), Object::Relation { name: n, .. }) => {
                dialect.spans_databases() && name.matches(n)
            }
            (Self::Name(_), Object::Database) => dialect.spans_databases(),
            (Self::Name(_), Object::Schema { .. }) => false,
            (Self::Relation { schema, name }, Object::Relation { schema: s, name: n }) => {
                schema.matches(s) && name.matches(n)
            }
            (Self::Relation { schema, name }, Object::Schema { name: s }) => {
                name.is_any() && schema.matches(s)
            }
            (Self::Relation { .. }, Object::Database) => true,
            (
                Self::Name(_) | Self::Relation { .. },
                Object::Unresolved { .. }
                | Object::Routine { .. }
                | Object::OtherDatabase { .. }
                | Object::Server { .. },
            ) => false,
        }
    }
}

impl ObjectPattern {
    /// Whether whatever `other` reaches is surely reached by this one, too; what is in doubt is no.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Name(name), Self::Name(n)) => name.contains(n),
            (Self::Relation { schema, name }, Self::Relation { schema: s, name: n }) => {
                schema.contains(s) && name.contains(n)
            }
            (Self::Name(_), Self::All | Self::Relation { .. })
            | (Self::Relation { .. }, Self::All | Self::Name(_)) => false,
        }
    }
}

/// The text is no object pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no object pattern: write \"*\" or \"schema.table\", for example \"public.employee\" or \"public.*\"; in \
     MySQL \"table\""
)]
pub struct BadObjectPattern(pub String);

impl FromStr for ObjectPattern {
    type Err = BadObjectPattern;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.split_once('.') {
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains('.') => {
                Ok(Self::Relation { schema: Glob::new(schema), name: Glob::new(name) })
            }
            None if !text.is_empty() => Ok(Self::Name(Glob::new(text))),
            _ => Err(BadObjectPattern(text.to_owned())),
        }
    }
}

impl fmt::Display for ObjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Name(name) => write!(f, "{name}"),
            Self::Relation { schema, name } => write!(f, "{schema}.{name}"),
        }
    }
}

impl Serialize for ObjectPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(schema: &str, name: &str) -> Object {
        Object::Relation { schema: schema.into(), name: name.into() }
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("emp*", "employee", true),
            ("emp*", "temp", false),
            ("*_log", "audit_log", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXcYYb", false),
            ("employee", "employees", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), fits, "{pattern} on {name}");
        }
    }

    #[test]
    fn an_unresolved_name_needs_a_database_wide_grant() {
        let name = Object::Unresolved { name: "employee".into() };
        assert!(!"*.*".parse::<ObjectPattern>().unwrap().matches(&name, Dialect::Postgres));
        assert!("*".parse::<ObjectPattern>().unwrap().matches(&name, Dialect::Postgres));
    }

    #[test]
    fn a_pattern_of_one_table_does_not_reach_its_schema() {
        let pattern: ObjectPattern = "public.employee".parse().unwrap();
        assert!(pattern.matches(&relation("public", "employee"), Dialect::Postgres));
        assert!(!pattern.matches(&relation("public", "salary"), Dialect::Postgres));
        assert!(!pattern.matches(&Object::Schema { name: "public".into() }, Dialect::Postgres));
    }

    #[test]
    fn a_bare_name_reaches_a_relation_only_where_databases_have_no_schemas() {
        let pattern: ObjectPattern = "employee".parse().unwrap();
        assert!(pattern.matches(&relation("hr_prod", "employee"), Dialect::Mysql));
        assert!(!pattern.matches(&relation("hr_prod", "salary"), Dialect::Mysql));
        assert!(!pattern.matches(&relation("public", "employee"), Dialect::Postgres));
        assert!("a.b.c".parse::<ObjectPattern>().is_err());
        assert!("".parse::<ObjectPattern>().is_err());
    }

    #[test]
    fn a_pattern_contains_what_is_narrower_and_nothing_else() {
        let contains = |a: &str, b: &str| {
            a.parse::<ObjectPattern>().unwrap().contains(&b.parse::<ObjectPattern>().unwrap())
        };
        for (wide, narrow) in [
            ("*", "*"),
            ("*", "*.*"),
            ("public.*", "public.emp*"),
            ("*.*", "a.b"),
            ("a*", "ab*"),
            ("a.b*c", "a.b*xc"),
        ] {
            assert!(contains(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [
            ("*.*", "*"),
            ("public.emp*", "public.*"),
            ("public.*", "*.employee"),
            ("a.b*c", "a.b*"),
            ("a", "a.a"),
            ("ab*", "a*"),
        ] {
            assert!(!contains(wide, narrow), "{wide} {narrow}");
        }
    }
}
