//! What an account may do beyond the needs of a lane.

/// The global privileges among `grants` (the lines of SHOW GRANTS) that no lane below admin needs, in words; empty for
/// none.
pub(super) fn excess<'a>(grants: impl Iterator<Item = &'a str>) -> String {
    let mut found: Vec<&str> = Vec::new();
    for line in grants {
        // A role's line has no ON; what the role holds has lines of its own.
        let Some((privileges, rest)) = line.strip_prefix("GRANT ").and_then(|it| it.split_once(" ON "))
        else {
            continue;
        };
        if rest.starts_with("*.* ") {
            found.extend(privileges.split(',').map(str::trim).filter(|privilege| is_excess(privilege)));
        }
        if rest.ends_with(" WITH GRANT OPTION") {
            found.push("GRANT OPTION");
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
        let of = |lines: &[&str]| excess(lines.iter().copied());
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
}
