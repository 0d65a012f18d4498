//! A live server on which statements run with no right, and with what their facts ask for.

use std::collections::BTreeSet;

use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Access, AccessMode, Facts, StatementKind},
        name_context::MysqlReading,
        object::Object,
    },
    sql::{Limits, analyze},
};

use super::{
    mysql_live::{Answer, Client, context},
    named::SYSTEM,
};

const SCRATCH: &str = "tidegate_privileges";
/// Has no right but on a table that nobody reads.
pub(crate) const NOBODY: &str = "tidegate_nobody";
/// Is given what the facts ask for.
const HOLDER: &str = "tidegate_holder";

/// A server, a scratch database on it, and two accounts.
pub(crate) struct Lab {
    pub(crate) keeper: Client,
    nobody: Client,
    holder: Client,
    pub(crate) reading: MysqlReading,
    pub(crate) database: String,
    suffix: &'static str,
    /// Databases that were made for statements which name them.
    made: BTreeSet<String>,
    /// Tables that are there.
    tables: BTreeSet<String>,
}

impl Lab {
    pub(crate) fn new(url: &str, suffix: &'static str) -> Self {
        let mut keeper = Client::connect(url, None);
        let database = format!("{SCRATCH}_{suffix}");
        let [nobody, holder] = [NOBODY, HOLDER].map(|user| format!("{user}_{suffix}"));
        keeper.run("SET sql_mode = ''");
        for text in [
            format!("DROP DATABASE IF EXISTS {database}"),
            format!("CREATE DATABASE {database}"),
            format!("USE {database}"),
            "CREATE TABLE tidegate_anchor (id INT)".to_owned(),
        ] {
            keeper.run(&text);
        }
        for user in [&nobody, &holder] {
            keeper.run(&format!("DROP USER IF EXISTS {user}@'%'"));
            keeper.run(&format!("CREATE USER {user}@'%' IDENTIFIED BY ''"));
            keeper.run(&format!("GRANT SELECT ON {database}.tidegate_anchor TO {user}@'%'"));
        }
        let [nobody, holder] = [nobody, holder].map(|user| {
            let mut client = Client::connect(url, Some(&user));
            client.play_in(&database);
            client
        });
        let reading = keeper.reading();
        let (made, tables) = (BTreeSet::new(), BTreeSet::new());
        Self { keeper, nobody, holder, reading, database, suffix, made, tables }
    }

    pub(crate) fn analyze(&self, text: &str) -> Option<Facts> {
        let context = context(&self.database, self.reading);
        let facts = analyze(text, Dialect::Mysql, &context, &Limits::default()).ok()?;
        <[Facts; 1]>::try_from(facts).ok().map(|[facts]| facts)
    }

    /// Empty tables for the names that have none.
    pub(crate) fn stand_in(&mut self, accesses: &[Access]) {
        for access in accesses {
            let Object::Relation { schema, name } = &access.object else { continue };
            if SYSTEM.contains(&schema.as_str()) || !self.tables.insert(format!("{schema}.{name}")) {
                continue;
            }
            // The sample data is there already, and for others, too.
            let own = schema.as_str() != self.database && schema.as_str() != "hr_prod";
            if own && self.made.insert(schema.to_string()) {
                self.keeper.query(format!("CREATE DATABASE {}", quoted(schema)));
            }
            let columns = "a INT, b INT, c INT, id INT, f1 INT, c1 INT, pk INT, i INT, v INT, pw TEXT";
            self.keeper.query(format!("CREATE TABLE {}.{} ({columns})", quoted(schema), quoted(name)));
        }
    }

    /// Gives the holder what the facts ask for, and nothing else.
    pub(crate) fn grant(&mut self, facts: &Facts) {
        let user = format!("{HOLDER}_{}@'%'", self.suffix);
        self.keeper.run(&format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}"));
        self.keeper.run(&format!("GRANT SELECT ON {}.tidegate_anchor TO {user}", self.database));
        for access in &facts.accesses {
            let (schema, name) = match &access.object {
                Object::Relation { schema, name } => (schema, name),
                Object::Schema { name } => {
                    // Rights that read no table; without one the server denies that the database is there.
                    self.keeper.query(format!("GRANT EVENT, CREATE VIEW ON {}.* TO {user}", quoted(name)));
                    continue;
                }
                _ => continue,
            };
            let rights = match access.mode {
                // The server wants for a plan what the statement wants.
                _ if facts.kind == StatementKind::Explain => "SELECT, INSERT, UPDATE, DELETE",
                AccessMode::Use | AccessMode::Read | AccessMode::Export | AccessMode::Explain => "SELECT",
                AccessMode::Write => "SELECT, INSERT, UPDATE, DELETE",
                AccessMode::Define | AccessMode::Administer => continue,
            };
            // With CREATE it may be a table that is not there.
            self.keeper.query(format!(
                "GRANT CREATE, {rights} ON {}.{} TO {user}",
                quoted(schema),
                quoted(name)
            ));
        }
    }

    pub(crate) fn as_nobody(&mut self, text: &str) -> Answer {
        undone(&mut self.nobody, text)
    }

    pub(crate) fn as_holder(&mut self, text: &str) -> Answer {
        // What it may do in its current database is looked up here only.
        self.holder.run(&format!("USE {}", self.database));
        undone(&mut self.holder, text)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.keeper.query("SET foreign_key_checks = 0");
        for database in self.made.iter().chain([&self.database]) {
            self.keeper.query(format!("DROP DATABASE {}", quoted(database)));
        }
        for user in [NOBODY, HOLDER] {
            self.keeper.query(format!("DROP USER {user}_{}@'%'", self.suffix));
        }
    }
}

fn undone(client: &mut Client, text: &str) -> Answer {
    client.run("START TRANSACTION");
    let answer = client.query(text);
    client.query("ROLLBACK");
    answer
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
