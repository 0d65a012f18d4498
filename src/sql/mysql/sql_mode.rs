//! `sql_mode`: what its flags change about reading.

use crate::model::{
    facts::Unanalyzable,
    name_context::{MysqlFlavor, MysqlReading},
};

/// How the server reads once `sql_mode` has the value.
///
/// # Errors
/// `Never` under MariaDB's ORACLE and MSSQL, which are other grammars, and for flags that are not known.
///
/// Source: MySQL manual, "Server SQL Modes"; MariaDB knowledge base, "SQL_MODE".
pub(in crate::sql) fn read(value: &str, before: MysqlReading) -> Result<MysqlReading, Unanalyzable> {
    let mut reading = MysqlReading {
        ansi_quotes: false,
        no_backslash_escapes: false,
        pipes_as_concat: false,
        ignore_space: false,
        ..before
    };
    // 0 is the number of no flag at all.
    for flag in value.split(',').map(str::trim).filter(|flag| !flag.is_empty() && *flag != "0") {
        match flag.to_ascii_uppercase().as_str() {
            "ANSI_QUOTES" => reading.ansi_quotes = true,
            "NO_BACKSLASH_ESCAPES" => reading.no_backslash_escapes = true,
            "PIPES_AS_CONCAT" => reading.pipes_as_concat = true,
            "IGNORE_SPACE" => reading.ignore_space = true,
            "ANSI" => set_all(&mut reading),
            "DB2" | "MAXDB" | "POSTGRESQL" if before.flavor == MysqlFlavor::Mariadb => {
                set_all(&mut reading);
            }
            flag if HARMLESS.contains(&flag) => {}
            flag => {
                return Err(Unanalyzable::Never {
                    construct: format!("sql_mode {flag}"),
                    instead: "Leave it out of the list.",
                });
            }
        }
    }
    Ok(reading)
}

const fn set_all(reading: &mut MysqlReading) {
    reading.ansi_quotes = true;
    reading.pipes_as_concat = true;
    reading.ignore_space = true;
}

const HARMLESS: &[&str] = &[
    "ALLOW_INVALID_DATES",
    "EMPTY_STRING_IS_NULL",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "MYSQL323",
    "MYSQL40",
    "NO_AUTO_CREATE_USER",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_DIR_IN_CREATE",
    "NO_ENGINE_SUBSTITUTION",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH",
    "REAL_AS_FLOAT",
    "SIMULTANEOUS_ASSIGNMENT",
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
    "TIME_ROUND_FRACTIONAL",
    "TIME_TRUNCATE_FRACTIONAL",
    "TRADITIONAL",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(flavor: MysqlFlavor) -> MysqlReading {
        MysqlReading { flavor, version: 80_036, ..MysqlReading::USUAL }
    }

    #[test]
    fn flags_that_change_reading_are_carried() {
        let ansi = read("ansi, NO_ZERO_DATE", reading(MysqlFlavor::Mysql)).unwrap();
        assert!(ansi.ansi_quotes && ansi.pipes_as_concat && ansi.ignore_space && !ansi.no_backslash_escapes);
        assert!(read("NO_BACKSLASH_ESCAPES", ansi).unwrap().no_backslash_escapes);
        assert_eq!(read("", ansi).unwrap(), reading(MysqlFlavor::Mysql));
        assert_eq!(read("STRICT_TRANS_TABLES,0", ansi).unwrap(), reading(MysqlFlavor::Mysql));
    }

    #[test]
    fn a_mode_that_is_another_grammar_is_refused() {
        assert!(read("ORACLE", reading(MysqlFlavor::Mariadb)).is_err());
        assert!(read("512", reading(MysqlFlavor::Mariadb)).is_err());
        assert!(read("MSSQL", reading(MysqlFlavor::Mysql)).is_err());
        assert!(read("MSSQL", reading(MysqlFlavor::Mariadb)).is_err());
        assert!(read("DB2", reading(MysqlFlavor::Mariadb)).is_ok_and(|reading| reading.ansi_quotes));
    }
}
