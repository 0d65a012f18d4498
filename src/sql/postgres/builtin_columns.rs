//! Questions about guarded relations that cannot show what these are guarded for.
//!
//! pg_dump counts the rows of pg_subscription and psql's `\dRs` lists them; only `subconninfo` holds passwords.
//! DataGrip asks pg_locks for the oldest transaction's number before it looks at anything else.

use crate::model::{
    facts::{Access, AccessMode},
    object::Object,
};

const SCHEMA: &str = "pg_catalog";
const RELATION: &str = "pg_subscription";
const SECRET: &str = "subconninfo";

const LOCKS: &str = "pg_locks";
/// What DataGrip asks of pg_locks, word for word: the number of one transaction.
const OLDEST_TRANSACTION: &str = "select l.transactionid::varchar::bigint as transaction_id from pg_catalog.pg_locks l \
    where l.transactionid is not null order by pg_catalog.age(l.transactionid) desc limit 1";

/// Turns the access to pg_subscription or pg_locks into harmless use, if `source` is a plain query that cannot show
/// what that is guarded for.
///
/// `accesses` are those that the text itself asks for, not those of functions that take names; `writes` tells that
/// the statement changes or locks something. `source` is the whole statement.
pub(super) fn open_definitions(accesses: &mut [Access], writes: bool, source: &str) {
    let of_system = |access: &Access, relation: &str| match &access.object {
        Object::Relation { schema, name } => {
            access.mode == AccessMode::Administer && schema.as_str() == SCHEMA && name.as_str() == relation
        }
        Object::Database
        | Object::Unresolved { .. }
        | Object::Schema { .. }
        | Object::Routine { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => false,
    };
    for (relation, is_harmless) in
        [(RELATION, shows_definitions_only as fn(&str) -> bool), (LOCKS, asks_for_oldest_transaction)]
    {
        let mut found = accesses.iter_mut().filter(|access| of_system(access, relation)).peekable();
        if found.peek().is_some() && !writes && is_harmless(source) {
            found.for_each(|access| access.mode = AccessMode::Use);
        }
    }
}

/// Whether the text is that question, but for white space and case. It holds no quotes, so neither tells anything.
fn asks_for_oldest_transaction(source: &str) -> bool {
    let words = source.trim_end_matches(';').split_ascii_whitespace();
    words.map(str::to_ascii_lowercase).eq(OLDEST_TRANSACTION.split(' ').map(str::to_owned))
}

/// Whether the text names neither the secret nor the whole row.
///
/// Deliberately dull: it looks at the raw text, so that nothing has to be understood. The relation stands in it once,
/// behind FROM, without an alias and outside a join, so no row of it has a name; nothing is called by escapes; and
/// a star is one of `count(*)`.
fn shows_definitions_only(source: &str) -> bool {
    let text = source.to_ascii_lowercase();
    let Some((before, after)) = text.split_once(RELATION) else { return false };
    let before = before.trim_end().strip_suffix("pg_catalog.").unwrap_or(before).trim_end();
    let after = after.trim_end_matches([';', ' ', '\n', '\t', '\r']);
    let ends = after.is_empty()
        || after.trim_start().starts_with(')')
        || after.starts_with(|letter: char| letter.is_ascii_whitespace())
            && ["where", "order", "group", "limit"].iter().any(|word| {
                let rest = after.trim_start().strip_prefix(word);
                rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_whitespace()))
            });
    let begins = before.strip_suffix("from").is_some_and(|rest| rest.ends_with([' ', '\n', '\t', '\r']));
    let once = !after.contains(RELATION);
    let plain = !text.contains(SECRET) && !text.contains("u&") && !text.replace("count(*)", "").contains('*');
    begins && ends && once && plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_dump_and_psql_ask_is_open() {
        for text in [
            "SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database)",
            "SELECT subname AS \"Name\"\nFROM pg_catalog.pg_subscription\nWHERE true ORDER BY 1;",
            "select subname from pg_subscription",
            "SELECT relname FROM pg_class WHERE oid IN (SELECT oid FROM pg_subscription)",
        ] {
            assert!(shows_definitions_only(text), "{text}");
        }
    }

    #[test]
    fn whatever_may_show_the_connection_string_stays_guarded() {
        for text in [
            "SELECT * FROM pg_subscription",
            "SELECT subconninfo FROM pg_subscription",
            "SELECT \"subconninfo\" FROM pg_subscription",
            "SELECT U&\"subc\\006fnninfo\" FROM pg_subscription",
            "SELECT pg_subscription FROM pg_subscription",
            "SELECT s FROM pg_subscription s",
            "SELECT \"where\" FROM pg_subscription \"where\"",
            "SELECT x FROM pg_subscription AS s(a, x)",
            "SELECT x FROM pg_subscription(a, x)",
            "SELECT j FROM (pg_subscription CROSS JOIN pg_class) AS j",
            "SELECT j FROM (pg_class CROSS JOIN pg_subscription) AS j",
            "SELECT c FROM pg_class c, pg_subscription",
            "SELECT 1 FROM pg_class NATURAL JOIN pg_subscription",
            "SELECT count(*), to_jsonb(pg_subscription) FROM pg_subscription",
            "TABLE pg_subscription",
            "COPY pg_subscription TO STDOUT",
            "SELECT t.* FROM (SELECT 1 FROM pg_subscription) t",
            "SELECT 1 FROM /**/ pg_subscription",
        ] {
            assert!(!shows_definitions_only(text), "{text}");
        }
    }

    #[test]
    fn the_oldest_transaction_is_open_and_nothing_else_of_the_locks() {
        let asked = "select L.transactionid::varchar::bigint as transaction_id\nfrom pg_catalog.pg_locks L\n\
                     where L.transactionid is not null\norder by pg_catalog.age(L.transactionid) desc\nlimit 1";
        assert!(asks_for_oldest_transaction(asked));
        assert!(asks_for_oldest_transaction(&format!("{asked};")));
        for other in [
            asked.replace("L.transactionid::", "L.relation::"),
            asked.replace("limit 1", "limit 10"),
            asked.replace("limit 1", "limit 1 /* x */"),
            format!("{asked} offset 1"),
            format!("{asked}; select * from pg_locks"),
            asked.replace("pg_locks L", "pg_locks \"L\""),
        ] {
            assert!(!asks_for_oldest_transaction(&other), "{other}");
        }
    }

    #[test]
    fn only_reading_is_opened() {
        let access = Access {
            object: Object::Relation { schema: SCHEMA.into(), name: RELATION.into() },
            mode: AccessMode::Administer,
        };
        let mut accesses = [access.clone()];
        open_definitions(&mut accesses, true, "DELETE FROM pg_subscription");
        assert_eq!(accesses[0], access);
        open_definitions(&mut accesses, false, "SELECT subname FROM pg_subscription");
        assert_eq!(accesses[0].mode, AccessMode::Use);
    }
}
