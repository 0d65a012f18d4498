//! What an account may do beyond the needs of a lane.

/// The privileges among `grants` (the lines of SHOW GRANTS) that no lane below admin needs, in words; empty for none.
/// With `only_reads` also those that write rows or definitions, and where.
pub(super) fn excess<'a>(grants: impl Iterator<Item = &'a str>, only_reads: bool) -> String {
    let mut found: Vec<String> = Vec::new();
    for line in grants {
        // A role's line has no ON; what the role holds has lines of its own.
        let Some((privileges, rest)) = line.strip_prefix("GRANT ").and_then(|it| it.split_once(" ON "))
        else {
            continue;
        };
        let each = || privileges.split(',').map(str::trim);
        if rest.starts_with("*.* ") {
            found.extend(each().filter(|privilege| is_excess(privilege)).map(str::to_owned));
        }
        if only_reads && each().any(writes) {
            let place = rest.split_once(" TO ").map_or(rest, |(place, _)| place);
            found.push(format!("writing {place}"));
        }
        if rest.ends_with(" WITH GRANT OPTION") {
            found.push("GRANT OPTION".to_owned());
        }
    }
    found.sort_unstable();
    found.dedup();
    found.join(", ")
}

/// Whether a global privilege reaches beyond rows and definitions.
fn is_excess(privilege: &str) -> bool {
    EXCESS.contains(&privilege) || privilege.split([' ', '_']).any(|word| word == "ADMIN")
}

/// Whether a privilege, perhaps on columns, changes rows, definitions or code.
fn writes(privilege: &str) -> bool {
    let name = privilege.split(" (").next().unwrap_or(privilege);
    WRITES.contains(&name)
}

const WRITES: [&str; 14] = [
    "ALL PRIVILEGES",
    "ALTER",
    "ALTER ROUTINE",
    "CREATE",
    "CREATE ROUTINE",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DROP",
    "EVENT",
    "INDEX",
    "INSERT",
    "TRIGGER",
    "UPDATE",
];

/// Source: MySQL manual, "Privileges Provided by MySQL"; MariaDB documentation, "GRANT".
const EXCESS: [&str; 13] = [
    "ALL PRIVILEGES",
    "CREATE ROLE",
    "CREATE TABLESPACE",
    "CREATE USER",
    "DROP ROLE",
    "FILE",
    "RELOAD",
    "REPLICATION SLAVE",
    "SET USER",
    "SET_ANY_DEFINER",
    "SET_USER_ID",
    "SHUTDOWN",
    "SUPER",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_lane_needs_is_told() {
        let of = |lines: &[&str]| excess(lines.iter().copied(), false);
        assert_eq!(
            of(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"]),
            "ALL PRIVILEGES, GRANT OPTION"
        );
        assert_eq!(of(&["GRANT SELECT, FILE, SUPER ON *.* TO `a`@`%`"]), "FILE, SUPER");
        assert_eq!(
            of(&["GRANT BINLOG ADMIN, SELECT ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*X'"]),
            "BINLOG ADMIN"
        );
        assert_eq!(
            of(&["GRANT ROLE_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO `a`@`%`"]),
            "ROLE_ADMIN, SYSTEM_VARIABLES_ADMIN"
        );
        assert_eq!(of(&["GRANT SELECT ON `hr`.* TO `a`@`%` WITH GRANT OPTION"]), "GRANT OPTION");
        assert_eq!(
            of(&[
                "GRANT USAGE ON *.* TO `gate`@`%`",
                "GRANT SELECT, SHOW VIEW, LOCK TABLES ON `hr`.* TO `gate`@`%`",
                "GRANT `ADMIN`@`%` TO `gate`@`%`",
                "GRANT SELECT, PROCESS ON *.* TO `gate`@`%`",
            ]),
            ""
        );
    }

    #[test]
    fn an_account_that_only_reads_is_told_of_where_it_may_write() {
        let of = |lines: &[&str]| excess(lines.iter().copied(), true);
        assert_eq!(of(&["GRANT SELECT, INSERT (a, b) ON `hr`.`t` TO `a`@`%`"]), "writing `hr`.`t`");
        assert_eq!(
            of(&["GRANT SELECT, DROP ON `hr`.* TO `a`@`%`", "GRANT ALL PRIVILEGES ON `b`.* TO `a`@`%`"]),
            "writing `b`.*, writing `hr`.*"
        );
        assert_eq!(
            of(&[
                "GRANT USAGE ON *.* TO `gate`@`%` IDENTIFIED BY PASSWORD '*X' REQUIRE SSL",
                "GRANT SELECT, SHOW VIEW, EXECUTE, LOCK TABLES, CREATE TEMPORARY TABLES ON `hr`.* TO `gate`@`%`",
                "GRANT SELECT (a, b) ON `x`.`y` TO `gate`@`%`",
            ]),
            ""
        );
    }
}
