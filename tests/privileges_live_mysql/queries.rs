//! Random queries in which the names of tables are hidden, or seem to be.

use tidegate::model::name_context::MysqlFlavor;

use super::mysql_live::random;

/// A statement that reads `open`, `secret` and `hidden`, or what goes by their names, of `database`.
///
/// MariaDB 10.11 ends over some of them, and is asked for simpler ones.
pub(crate) fn random_query(seed: &mut u64, database: &str, flavor: MysqlFlavor) -> String {
    let is_mysql = flavor == MysqlFlavor::Mysql;
    let mut writer = Writer { seed, database };
    match writer.random(12) {
        3 | 7 | 8 if !is_mysql => writer.query(3),
        0 => format!("UPDATE {} SET v = ({})", writer.table(), writer.scalar(2)),
        1 => format!("DELETE FROM {} WHERE v IN ({})", writer.table(), writer.query(2)),
        2 => format!("INSERT INTO {} (id) {}", writer.table(), writer.query(2)),
        3 => {
            let (table, query, scalar) = (writer.table(), writer.query(2), writer.scalar(1));
            format!("INSERT INTO {table} (id) {query} ON DUPLICATE KEY UPDATE v = ({scalar})")
        }
        4 => format!("SHOW TABLES WHERE ({}) = 1", writer.scalar(2)),
        5 => format!("SET @x = ({})", writer.scalar(3)),
        6 => format!("DO ({})", writer.scalar(3)),
        7 => {
            let (with, from) = (writer.with(2), writer.from(1));
            let (target, scalar) = (writer.name(), writer.scalar(1));
            format!("{with} UPDATE {from} SET {target}.v = ({scalar})")
        }
        8 => {
            let (with, target, from) = (writer.with(2), writer.name(), writer.from(1));
            format!("{with} DELETE {target} FROM {from}")
        }
        _ => writer.query(4),
    }
}

struct Writer<'a> {
    seed: &'a mut u64,
    database: &'a str,
}

impl Writer<'_> {
    fn random(&mut self, below: usize) -> usize {
        random(self.seed) % below
    }

    fn one_of(&mut self, pieces: &[&'static str]) -> &'static str {
        pieces[self.random(pieces.len())]
    }

    fn name(&mut self) -> &'static str {
        self.one_of(&["open", "open", "secret", "hidden", "a", "b"])
    }

    fn table(&mut self) -> String {
        let name = self.one_of(&["open", "open", "open", "secret", "hidden"]);
        match self.random(8) {
            0 => format!("{}.{name}", self.database),
            _ => name.to_owned(),
        }
    }

    /// WITH, and its definitions.
    fn with(&mut self, depth: usize) -> String {
        let recursive = self.one_of(&["", "", "RECURSIVE "]);
        let definitions: Vec<_> = (0..=self.random(2))
            .map(|_| format!("{} AS ({})", self.name(), self.query(depth.saturating_sub(1))))
            .collect();
        format!("WITH {recursive}{}", definitions.join(", "))
    }

    fn from(&mut self, depth: usize) -> String {
        match self.random(if depth == 0 { 3 } else { 9 }) {
            0 => self.table(),
            1 => self.name().to_owned(),
            2 => format!("{} AS {}", self.table(), self.name()),
            3 => format!("({}) {}", self.query(depth - 1), self.name()),
            4 => format!("{} JOIN {}", self.from(depth - 1), self.from(depth - 1)),
            5 => format!("({}, {})", self.from(depth - 1), self.from(depth - 1)),
            6 => format!(
                "{} LEFT JOIN {} ON ({}) = 1",
                self.table(),
                self.from(depth - 1),
                self.scalar(depth - 1)
            ),
            7 => format!("{}, LATERAL ({}) {}", self.from(depth - 1), self.query(depth - 1), self.name()),
            _ => format!("((({})) UNION ({})) {}", self.query(depth - 1), self.query(depth - 1), self.name()),
        }
    }

    fn scalar(&mut self, depth: usize) -> String {
        match self.random(4) {
            0 => format!("SELECT 1 FROM {} LIMIT 1", self.from(depth)),
            1 if depth > 0 => {
                format!("{} SELECT 1 FROM {} LIMIT 1", self.with(depth - 1), self.from(depth - 1))
            }
            2 if depth > 0 => format!("SELECT 1 WHERE EXISTS ({})", self.query(depth - 1)),
            _ => "SELECT 1".to_owned(),
        }
    }

    /// A query of one column.
    fn query(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.random(3) {
                0 => "SELECT 1 AS id".to_owned(),
                1 => format!("SELECT 1 AS id FROM {}", self.name()),
                _ => format!("SELECT 1 AS id FROM {}", self.table()),
            };
        }
        let below = depth - 1;
        match self.random(12) {
            0..=2 => format!("{} {}", self.with(depth), self.query(below)),
            3 => format!("{} UNION {}", self.query(below), self.bracketed(below)),
            4 => format!("({}) UNION ALL {}", self.query(below), self.bracketed(below)),
            5 => format!("SELECT 1 AS id FROM {} WHERE EXISTS ({})", self.from(below), self.query(below)),
            6 => format!("SELECT ({}) AS id FROM {}", self.scalar(below), self.from(below)),
            7 => format!("SELECT 1 AS id FROM {} ORDER BY ({})", self.from(below), self.scalar(below)),
            8 => format!(
                "SELECT 1 AS id FROM {} GROUP BY 1 HAVING ({}) = 1",
                self.from(below),
                self.scalar(below)
            ),
            9 => format!(
                "SELECT COUNT(*) OVER (ORDER BY ({})) AS id FROM {}",
                self.scalar(below),
                self.from(below)
            ),
            10 => format!("({}) LIMIT 1", self.query(below)),
            _ => format!("SELECT 1 AS id FROM {}", self.from(depth)),
        }
    }

    fn bracketed(&mut self, depth: usize) -> String {
        match self.random(2) {
            0 => format!("({})", self.query(depth)),
            _ => format!("SELECT 1 FROM {}", self.from(depth)),
        }
    }
}
