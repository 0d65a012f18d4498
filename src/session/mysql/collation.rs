//! What a client's login says of its character set.

use crate::model::name_context::MysqlFlavor;

/// Character set and collation by the number that a login names; the collation is `None` where the set's default does.
///
/// `None` for numbers of sets that are not let through, and of sets that nobody uses any longer.
///
/// Source: MySQL manual, "INFORMATION_SCHEMA COLLATIONS".
pub(super) fn of_number(number: u16, flavor: MysqlFlavor) -> Option<(&'static str, Option<&'static str>)> {
    let utf8mb4 = |collation| Some(("utf8mb4", Some(collation)));
    match number {
        // Nothing was said, or nothing that the server knows: its own default.
        0 => Some(("utf8mb4", None)),
        45 => utf8mb4("utf8mb4_general_ci"),
        46 => utf8mb4("utf8mb4_bin"),
        224 => utf8mb4("utf8mb4_unicode_ci"),
        246 => utf8mb4("utf8mb4_unicode_520_ci"),
        255 if flavor == MysqlFlavor::Mysql => utf8mb4("utf8mb4_0900_ai_ci"),
        256..=323 if flavor == MysqlFlavor::Mysql => Some(("utf8mb4", None)),
        225..=245 | 247 | 255 => Some(("utf8mb4", None)),
        33 => Some(("utf8mb3", Some("utf8mb3_general_ci"))),
        83 => Some(("utf8mb3", Some("utf8mb3_bin"))),
        192..=215 | 223 => Some(("utf8mb3", None)),
        5 | 8 | 15 | 31 | 47..=49 | 94 => Some(("latin1", None)),
        2 | 9 | 21 | 27 | 77 => Some(("latin2", None)),
        30 | 78 => Some(("latin5", None)),
        20 | 41 | 42 | 79 => Some(("latin7", None)),
        11 | 65 => Some(("ascii", None)),
        63 => Some(("binary", None)),
        14 | 23 | 50..=52 => Some(("cp1251", None)),
        26 | 34 | 44 | 66 | 99 => Some(("cp1250", None)),
        29 | 58 | 59 => Some(("cp1257", None)),
        57 | 67 => Some(("cp1256", None)),
        4 | 80 => Some(("cp850", None)),
        40 | 81 => Some(("cp852", None)),
        36 | 68 => Some(("cp866", None)),
        7 | 74 => Some(("koi8r", None)),
        22 | 75 => Some(("koi8u", None)),
        25 | 70 => Some(("greek", None)),
        16 | 71 => Some(("hebrew", None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_whose_characters_can_hide_a_quote_does_not_log_in() {
        // big5, gb2312, gb18030, gbk, sjis, cp932, euckr, ujis, utf16, utf32, ucs2.
        for number in [1, 84, 24, 248, 28, 87, 13, 88, 95, 19, 12, 54, 60, 35, 1052] {
            assert_eq!(of_number(number, MysqlFlavor::Mysql), None, "{number}");
        }
        assert_eq!(of_number(45, MysqlFlavor::Mariadb).unwrap().0, "utf8mb4");
    }

    #[test]
    fn a_collation_that_the_server_does_not_know_is_not_asked_for() {
        assert_eq!(of_number(255, MysqlFlavor::Mariadb), Some(("utf8mb4", None)));
        assert_eq!(of_number(255, MysqlFlavor::Mysql), Some(("utf8mb4", Some("utf8mb4_0900_ai_ci"))));
    }
}
