//! Somebody for whom another approves statements.

use super::{
    Person, id,
    support::{Lab, Login, Server},
};

/// dana, for whom lee approves statements.
pub(crate) struct Approving<'l> {
    lab: &'l Lab,
    pub(crate) login: Login,
    asks: Person<'l>,
    answers: Person<'l>,
}

impl<'l> Approving<'l> {
    pub(crate) fn new(lab: &'l Lab) -> Self {
        let login = lab.add("dana");
        Self { lab, login, asks: Person::new(lab, "dana"), answers: Person::new(lab, "lee") }
    }

    /// Has a statement approved; gives the grant.
    pub(crate) fn approve(&self, sql: &str) -> String {
        self.approve_in("hr_prod", sql)
    }

    /// The same in another database.
    pub(crate) fn approve_in(&self, database: &str, sql: &str) -> String {
        let target = self.lab.server().target();
        let place = ["--target", target, "--database", database, "--for", "10m", "--reason", "INC-42"];
        let request = self.asks.does(&[&["request", "create", "--statement", sql], &place[..]].concat());
        let answer = self.answers.does(&["review", "approve", id(&request)]);
        answer["grant"].as_str().unwrap().to_owned()
    }

    /// How many grants were used up.
    pub(crate) fn used(&self) -> usize {
        self.lab.audit().iter().filter(|it| it["event"] == "grant_used").count()
    }

    /// The statements that were let through on a grant.
    pub(crate) fn run_on(&self, grant: &str) -> Vec<String> {
        let log = self.lab.audit();
        let named = log.iter().filter(|it| it["event"] == "statement_start" && it["grants"][0] == grant);
        named.map(|it| it["sql"].as_str().unwrap().to_owned()).collect()
    }
}

/// The mail address of the person that the tests change.
pub(crate) fn email(lab: &Lab) -> String {
    let table = match lab.server() {
        Server::Postgres => "public.employee",
        Server::Mariadb | Server::Mysql => "hr_prod.employee",
    };
    lab.superuser(&format!("SELECT email FROM {table} WHERE employee_no = 7"))
}
