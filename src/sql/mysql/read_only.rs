//! What a session reads of its own `transaction_read_only`: connections of the gateway's have it set for their lane.

use crate::{
    model::{
        facts::Unanalyzable,
        name_context::{MysqlFlavor, MysqlReading, NameContext},
    },
    sql::limits::Limits,
};

use super::{
    lexer,
    parser::unknown,
    render::quote_name,
    token::{Kind, Token},
};

/// What the server calls the mode of a session's transactions.
pub(super) const fn variable(reading: &MysqlReading) -> &'static str {
    // MariaDB before 11.1 has no other name for it.
    match reading.flavor {
        MysqlFlavor::Mariadb => "tx_read_only",
        MysqlFlavor::Mysql => "transaction_read_only",
    }
}

/// Whether `@@name` is that mode on this server; a name that it does not have is its to refuse.
pub(super) fn is_shown_by(name: &str, reading: &MysqlReading) -> bool {
    let other = match reading.flavor {
        MysqlFlavor::Mariadb => {
            reading.version >= 110_100 && name.eq_ignore_ascii_case("transaction_read_only")
        }
        MysqlFlavor::Mysql => reading.version < 80_003 && name.eq_ignore_ascii_case("tx_read_only"),
    };
    other || name.eq_ignore_ascii_case(variable(reading))
}

/// `text`, a statement in the spelling that is sent, with the session's own mode (`on`) in the place of
/// `@@transaction_read_only`. A column that showed nothing else is called as it was.
///
/// # Errors
/// Those of the lexer, which read the text before; `Unknown` without a server's way to read.
pub fn own_read_only(text: &str, context: &NameContext, on: bool) -> Result<String, Unanalyzable> {
    let reading = context.mysql.ok_or_else(|| unknown("the server's way to read"))?;
    let limits = Limits { statement_bytes: usize::MAX, ..Limits::default() };
    let tokens = lexer::tokens(text, &reading, &limits)?;
    let mut written = String::with_capacity(text.len());
    let (mut copied, mut depth, mut at) = (0, 0_usize, 0);
    while let Some(token) = tokens.get(at) {
        let length = tokens.get(at..).map_or(0, |rest| length(rest, &reading));
        let Some(last) = length.checked_sub(1).and_then(|last| tokens.get(at + last)) else {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            at += 1;
            continue;
        };
        written.push_str(text.get(copied..token.span.start).unwrap_or_default());
        written.push(if on { '1' } else { '0' });
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if depth == 0 && is_column(before, tokens.get(at + length)) {
            written.push_str(" AS ");
            quote_name(&mut written, text.get(token.span.start..last.span.end).unwrap_or_default());
        }
        copied = last.span.end;
        at += length;
    }
    written.push_str(text.get(copied..).unwrap_or_default());
    Ok(written)
}

/// Of how many tokens the variable at the front is, the session's or without a scope; 0 if none is there.
fn length(tokens: &[Token<'_>], reading: &MysqlReading) -> usize {
    let shows = |token: &Token<'_>| is_shown_by(&token.text, reading);
    match tokens {
        [mark, scope, dot, name, ..]
            if mark.kind == Kind::SystemVariable
                && dot.is_symbol(".")
                && ["session", "local"].iter().any(|word| scope.text.eq_ignore_ascii_case(word))
                && shows(name) =>
        {
            4
        }
        [mark, name, rest @ ..]
            if mark.kind == Kind::SystemVariable
                && shows(name)
                && !rest.first().is_some_and(|behind| behind.is_symbol(".")) =>
        {
            2
        }
        _ => 0,
    }
}

/// Whether what stands between the two is a column by itself, without a name.
fn is_column(before: Option<&Token<'_>>, behind: Option<&Token<'_>>) -> bool {
    let begins = before.is_some_and(|token| {
        token.is_symbol(",") || ["SELECT", "ALL", "DISTINCT"].iter().any(|word| token.is_word(word))
    });
    let ends = behind.is_none_or(|token| {
        token.is_symbol(",") || ["FROM", "INTO", "LIMIT", "UNION"].iter().any(|word| token.is_word(word))
    });
    begins && ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::mysql::probe::context;

    fn own(text: &str) -> String {
        own_read_only(text, &context(MysqlFlavor::Mysql), false).unwrap()
    }

    #[test]
    fn the_session_reads_its_own_mode_under_the_name_that_it_asked_for() {
        assert_eq!(
            own("SELECT @@session.transaction_read_only"),
            "SELECT 0 AS `@@session.transaction_read_only`"
        );
        assert_eq!(
            own("select @@Transaction_Read_Only, @@autocommit, @@local.transaction_read_only FROM dual"),
            "select 0 AS `@@Transaction_Read_Only`, @@autocommit, 0 AS `@@local.transaction_read_only` FROM dual"
        );
        let on = own_read_only("SELECT @@transaction_read_only", &context(MysqlFlavor::Mysql), true).unwrap();
        assert_eq!(on, "SELECT 1 AS `@@transaction_read_only`");
    }

    #[test]
    fn where_it_is_no_column_by_itself_no_name_is_given() {
        assert_eq!(own("SELECT @@transaction_read_only AS ro"), "SELECT 0 AS ro");
        assert_eq!(own("SELECT @@transaction_read_only ro"), "SELECT 0 ro");
        assert_eq!(own("SELECT IF(1, @@transaction_read_only, 2)"), "SELECT IF(1, 0, 2)");
        assert_eq!(own("SELECT 1 FROM t WHERE @@transaction_read_only = 0"), "SELECT 1 FROM t WHERE 0 = 0");
    }

    #[test]
    fn neither_strings_nor_the_server_s_own_mode_are_touched() {
        for text in [
            "SELECT '@@transaction_read_only'",
            "SELECT @@global.transaction_read_only",
            "SELECT @@read_only",
            // The server's to refuse: MySQL 8 has no such name.
            "SELECT @@tx_read_only",
            "SELECT @transaction_read_only",
        ] {
            assert_eq!(own(text), text);
        }
    }

    #[test]
    fn mariadb_has_its_own_name_for_it() {
        let own = |text| own_read_only(text, &context(MysqlFlavor::Mariadb), false).unwrap();
        assert_eq!(own("SELECT @@tx_read_only"), "SELECT 0 AS `@@tx_read_only`");
        assert_eq!(own("SELECT @@transaction_read_only"), "SELECT @@transaction_read_only");
    }
}
