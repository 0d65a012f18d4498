//! What sessions have to know of a server before they begin.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::{
    model::name_context::MysqlFlavor,
    wire::mysql::{capability::Capabilities, greeting::Greeting},
};

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version as its greeting has it.
    pub version_text: String,
    /// The same as in executable comments: major × 10000 + minor × 100 + patch.
    pub version: u32,
    /// Whose grammar it has.
    pub flavor: MysqlFlavor,
    /// What it speaks.
    pub capabilities: Capabilities,
    /// Its default collation; the lower 8 bits of the number.
    pub charset: u8,
    /// `lower_case_table_names`: 0, 1 or 2.
    pub lower_case_table_names: u8,
    /// `sql_mode` of a fresh session.
    pub sql_mode: String,
    /// `max_allowed_packet`, in bytes.
    pub max_allowed_packet: u64,
}

impl ServerFacts {
    /// What the greeting alone says; the version is told better by the server's own variable later.
    pub(super) fn of_greeting(greeting: &Greeting) -> Self {
        let flavor = if greeting.is_mariadb() { MysqlFlavor::Mariadb } else { MysqlFlavor::Mysql };
        Self {
            version_text: greeting.version.clone(),
            version: version(&greeting.version, flavor).unwrap_or_default(),
            flavor,
            capabilities: greeting.capabilities,
            charset: greeting.charset,
            lower_case_table_names: 0,
            sql_mode: String::new(),
            max_allowed_packet: 0,
        }
    }
}

/// The number of a version's text; `None` if it does not begin with three numbers.
pub(super) fn version(text: &str, flavor: MysqlFlavor) -> Option<u32> {
    // Old replicas take only what begins with 5: MariaDB says its own behind that.
    let text = match flavor {
        MysqlFlavor::Mariadb => text.strip_prefix("5.5.5-").unwrap_or(text),
        MysqlFlavor::Mysql => text,
    };
    let mut parts = text.splitn(3, '.').map(|part| {
        let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits)?.parse::<u32>().ok()
    });
    let mut next = || parts.next().flatten();
    let (major, minor, patch) = (next()?, next()?, next()?);
    major.checked_mul(10_000)?.checked_add(minor.checked_mul(100)?)?.checked_add(patch)
}

/// What the newest connection to a server told of it.
#[derive(Debug, Default)]
pub struct LastFacts(ArcSwapOption<ServerFacts>);

impl LastFacts {
    /// Keeps them; the same `Arc` as before while nothing changed.
    pub(super) fn learn(&self, facts: &Arc<ServerFacts>) {
        if self.0.load().as_ref().is_none_or(|known| *known != *facts) {
            self.0.store(Some(Arc::clone(facts)));
        }
    }

    /// They, if there was a connection.
    pub(crate) fn current(&self) -> Option<Arc<ServerFacts>> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_as_in_executable_comments() {
        let (mysql, mariadb) = (MysqlFlavor::Mysql, MysqlFlavor::Mariadb);
        assert_eq!(version("9.7.0", mysql), Some(90_700));
        assert_eq!(version("8.0.36-28.1", mysql), Some(80_036));
        assert_eq!(version("5.5.5-10.11.14-MariaDB-0+deb12u2", mariadb), Some(101_114));
        assert_eq!(version("11.4.2-MariaDB", mariadb), Some(110_402));
        assert_eq!(version("8.0.mysql_aurora.3.05.2", mysql), None);
        assert_eq!(version("8.0", mysql), None);
        assert_eq!(version("", mysql), None);
    }
}
