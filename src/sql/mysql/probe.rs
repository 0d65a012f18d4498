//! What tests of the grammar share: a statement to one line of what it does.

use crate::{
    model::{
        facts::{AccessMode, SessionEffect, Unanalyzable},
        name_context::{MysqlFlavor, MysqlReading, NameContext, SearchPath},
        object::Object,
    },
    sql::limits::Limits,
};

use super::{lexer, parser::Parser};

/// A session in the database `d` that has the temporary table `d.tmp`.
pub(super) fn context(flavor: MysqlFlavor) -> NameContext {
    NameContext {
        database: "d".into(),
        server_version: 9,
        search_path: SearchPath::Unknown,
        accounts: [].into(),
        temporary: std::iter::once("d.tmp".into()).collect::<std::collections::BTreeSet<_>>().into(),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: Some(reading(flavor)),
    }
}

pub(super) fn reading(flavor: MysqlFlavor) -> MysqlReading {
    MysqlReading {
        flavor,
        version: match flavor {
            MysqlFlavor::Mariadb => 101_100,
            MysqlFlavor::Mysql => 90_700,
        },
        ..MysqlReading::USUAL
    }
}

/// What the statement does in that session: `read d.t, write d.u, call d.f, pin, read-write`.
pub(super) fn does(text: &str, flavor: MysqlFlavor) -> Result<String, Unanalyzable> {
    does_in(text, &context(flavor))
}

pub(super) fn does_in(text: &str, context: &NameContext) -> Result<String, Unanalyzable> {
    let reading = context.mysql.unwrap();
    let limits = Limits::default();
    let tokens = lexer::tokens(text, &reading, &limits)?;
    let mut parser = Parser::new(&tokens, context, reading, &limits);
    let (kind, command) = if parser.is_word("LOAD") { parser.load()? } else { parser.data_statement()? };
    if !parser.is_at_end() {
        return Err(parser.unexpected());
    }
    let facts = parser.found.into_facts(kind, command, 0..text.len(), 0, text.into());
    let mut parts = Vec::new();
    for access in &facts.accesses {
        let verb = match access.mode {
            AccessMode::Use => "use",
            AccessMode::Explain => "explain",
            AccessMode::Read => "read",
            AccessMode::Export => "export",
            AccessMode::Write => "write",
            AccessMode::Define => "define",
            AccessMode::Administer => "administer",
        };
        match &access.object {
            Object::Database => parts.push(verb.to_owned()),
            object => parts.push(format!("{verb} {object}")),
        }
    }
    parts.extend(facts.calls.iter().map(|call| format!("call {}", call.name)));
    for effect in &facts.effects {
        parts.push(match effect {
            SessionEffect::Pin | SessionEffect::Ties(_) => "pin".to_owned(),
            SessionEffect::Releases(_) => "release".to_owned(),
            SessionEffect::ReadsDiagnostics => "diagnostics".to_owned(),
            other => format!("{other:?}"),
        });
    }
    if !facts.read_only {
        parts.push("read-write".to_owned());
    }
    Ok(parts.join(", "))
}

/// Holds that each statement does what stands beside it, on this server.
pub(super) fn check(flavor: MysqlFlavor, rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(does(text, flavor).as_deref(), Ok(*expected), "{text}");
    }
}

/// The same on both servers.
pub(super) fn check_both(rows: &[(&str, &str)]) {
    check(MysqlFlavor::Mysql, rows);
    check(MysqlFlavor::Mariadb, rows);
}

/// Holds that none of the statements is understood, on this server.
pub(super) fn refuses(flavor: MysqlFlavor, texts: &[&str]) {
    for text in texts {
        assert!(does(text, flavor).is_err(), "{text} does {:?}", does(text, flavor));
    }
}

/// The same on both servers.
pub(super) fn both_refuse(texts: &[&str]) {
    refuses(MysqlFlavor::Mysql, texts);
    refuses(MysqlFlavor::Mariadb, texts);
}
