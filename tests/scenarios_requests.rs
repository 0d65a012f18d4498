//! From a refusal to a grant and its end, in one open session: as people go that way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "scenarios_requests/approving.rs"]
mod approving;
#[path = "scenarios_requests/prepared_mysql.rs"]
mod prepared_mysql;
#[path = "scenarios_requests/prepared_postgres.rs"]
mod prepared_postgres;
#[path = "requests/slack_psql.rs"]
mod slack;
mod slack_support;
mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{Lab, Server, refused, run_within, text};

const FLOWS: &str = "
groups: { leads: {} }
principals: { lee: { groups: [leads] } }
flows:
  - name: all
    when: \"request.database == 'hr_prod' || request.database == 'hr_dev'\"
    steps: [ { approvers: [leads] } ]
    longest: { any: 1h }
";

/// The usual laboratory, with a flow by which lee approves what others ask for.
fn lab() -> Option<Lab> {
    lab_of(Server::Postgres)
}

fn lab_of(server: Server) -> Option<Lab> {
    lab_with(server, &json!({ "plaintext": true }))
}

/// The same with other settings.
fn lab_with(server: Server, settings: &Value) -> Option<Lab> {
    let lab = Lab::with_gateway(server, settings)?;
    std::fs::write(lab.path("policies/flows.yaml"), FLOWS).unwrap();
    lab.admin(&["policy", "reload"]);
    Some(lab)
}

/// Somebody at the command line, by a key of their own.
struct Person<'l> {
    lab: &'l Lab,
    key: String,
}

impl<'l> Person<'l> {
    fn new(lab: &'l Lab, name: &str) -> Self {
        let out = lab.admin(&["key", "create", &format!("{name}-laptop"), "--for", name]);
        let key = out.lines().find(|line| line.starts_with("tgk_")).unwrap().to_owned();
        Self { lab, key }
    }

    fn runs(&self, arguments: &[&str]) -> (String, bool) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(arguments)
            .env("TIDEGATE_API", format!("http://127.0.0.1:{}", self.lab.api_port()))
            .env("TIDEGATE_KEY", &self.key);
        let output = run_within(&mut command, Duration::from_secs(60));
        (text(&output), output.status.success())
    }

    fn does(&self, arguments: &[&str]) -> Value {
        let (out, good) = self.runs(&[arguments, &["--json"]].concat());
        assert!(good, "{arguments:?}: {out}");
        serde_json::from_str(&out).unwrap()
    }
}

fn id(answer: &Value) -> &str {
    answer["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_refusal_to_the_grant_and_its_end_in_one_open_session() {
    let lab = lab!(lab());
    let dana = lab.add("dana").connect().await.unwrap();
    let error = dana.simple_query("SELECT * FROM salary").await.unwrap_err();
    let hint = error.as_db_error().unwrap().hint().unwrap().to_owned();
    let denial = hint.strip_prefix("Ask for it: tidegate request create --denial ").expect(&hint);

    let (asks, answers) = (Person::new(&lab, "dana"), Person::new(&lab, "lee"));
    let asked = ["request", "create", "--denial", denial, "--for", "10m", "--reason", "INC-42"];
    let request = asks.does(&asked);
    assert_eq!((&request["state"], &request["objects"][0]), (&"pending".into(), &"public.salary".into()));
    assert_eq!(refused(dana.simple_query("SELECT * FROM salary").await), "42501");
    let (own, good) = asks.runs(&["review", "approve", id(&request)]);
    assert!(!good && own.contains("nobody reviews their own request"), "{own}");
    assert!(answers.runs(&["review", "list"]).0.contains(id(&request)));
    let approved = answers.does(&["review", "approve", id(&request), "--for", "5m"]);
    let grant = approved["grant"].as_str().unwrap();
    dana.simple_query("SELECT * FROM salary LIMIT 1").await.unwrap();

    asks.does(&["grant", "revoke", grant, "--reason", "done"]);
    assert_eq!(refused(dana.simple_query("SELECT * FROM salary").await), "42501");
    let events = |event: &str| lab.audit().iter().filter(|it| it["event"] == event).count();
    assert_eq!((events("request_created"), events("request_reviewed"), events("grant_revoked")), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_statement_runs_once_as_it_stands_and_outside_a_transaction() {
    let lab = lab!(lab());
    let dana = lab.add("dana").connect().await.unwrap();
    let (asks, answers) = (Person::new(&lab, "dana"), Person::new(&lab, "lee"));
    let sql = "UPDATE public.employee SET email = 'new@example.com' WHERE employee_no = 7";
    let place = ["--target", "hr", "--database", "hr_prod", "--for", "10m", "--reason", "INC-42"];
    let request = asks.does(&[&["request", "create", "--statement", sql], &place[..]].concat());
    assert_eq!(request["statement"]["sql"], sql);
    assert_eq!(request["permissions"], serde_json::json!(["dml"]));
    assert_eq!(refused(dana.simple_query(sql).await), "42501", "not approved yet");
    answers.does(&["review", "approve", id(&request)]);

    for other in [sql.replace("7", "8"), sql.replace("new@", "old@"), format!("{sql}; {sql}")] {
        assert_eq!(refused(dana.simple_query(&other).await), "42501", "{other}");
    }
    dana.simple_query("BEGIN").await.unwrap();
    assert_eq!(refused(dana.simple_query(sql).await), "42501", "in a transaction");
    dana.simple_query("ROLLBACK").await.unwrap();
    dana.simple_query(&format!("  {sql};")).await.unwrap();
    let email = lab.superuser("SELECT email FROM public.employee WHERE employee_no = 7");
    assert!(email.contains("new@example.com"), "{email}");
    assert_eq!(refused(dana.simple_query(sql).await), "42501", "once");
    let used = lab.audit().into_iter().find(|it| it["event"] == "grant_used").unwrap();
    assert_eq!(used["actor"], "dana");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_on_leave_that_is_used_up_goes_on_and_ends_when_that_is_revoked() {
    let lab = lab!(lab());
    let dana = lab.add("dana").connect().await.unwrap();
    let (asks, answers) = (Person::new(&lab, "dana"), Person::new(&lab, "lee"));
    let place = ["--target", "hr", "--database", "hr_prod", "--for", "10m", "--reason", "INC-42"];
    let approved = |sql: &str| {
        let request = asks.does(&[&["request", "create", "--statement", sql], &place[..]].concat());
        answers.does(&["review", "approve", id(&request)])["grant"].as_str().unwrap().to_owned()
    };
    approved("SELECT pg_sleep(1), count(*) FROM public.salary");
    dana.simple_query("SELECT pg_sleep(1), count(*) FROM public.salary").await.unwrap();

    let slow = "SELECT pg_sleep(60), count(*) FROM public.salary";
    let grant = approved(slow);
    let started = Instant::now();
    let (out, ()) = tokio::join!(dana.simple_query(slow), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| lab.revoke(&grant));
    });
    assert_eq!(refused(out), "42501");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn a_definition_in_mysql_that_was_approved_runs_once_and_outside_a_transaction() {
    for server in [Server::Mariadb, Server::Mysql] {
        let Some(lab) = lab_of(server) else { continue };
        let full = lab.add("full");
        lab.grant("full", "select", &[], 600);
        let (asks, answers) = (Person::new(&lab, "full"), Person::new(&lab, "lee"));
        let sql = "ALTER TABLE salary ADD COLUMN note INT";
        let place =
            ["--target", server.target(), "--database", "hr_prod", "--for", "10m", "--reason", "INC-42"];
        let request = asks.does(&[&["request", "create", "--statement", sql], &place[..]].concat());
        assert_eq!(request["permissions"], serde_json::json!(["ddl"]));
        assert!(full.sql(&format!("{sql};")).contains("1142"), "not approved yet");
        answers.does(&["review", "approve", id(&request)]);
        assert!(full.sql(&format!("BEGIN; {sql};")).contains("1142"), "in a transaction");
        assert!(full.sql(&format!("SET autocommit = 0; {sql};")).contains("1142"), "without autocommit");
        let out = full.sql(&format!("{sql}; SELECT 'new', COUNT(note) FROM salary;"));
        assert!(!out.contains("ERROR") && out.contains("new\t0"), "{out}");
        assert!(full.sql("ALTER TABLE salary ADD COLUMN note INT;").contains("1142"), "once");
    }
}

#[test]
fn the_approver_of_a_statement_sees_what_the_database_reckons_and_nothing_has_run() {
    for server in [Server::Postgres, Server::Mariadb, Server::Mysql] {
        let Some(lab) = lab_of(server) else { continue };
        std::fs::write(
            lab.path("policies/flows.yaml"),
            FLOWS.replace("steps:", "estimate: true\n    steps:"),
        )
        .unwrap();
        lab.admin(&["policy", "reload"]);
        let asks = Person::new(&lab, "dana");
        let salary = server.table("salary");
        let place =
            ["--target", server.target(), "--database", "hr_prod", "--for", "10m", "--reason", "INC-42"];
        let estimated = |sql: &str| {
            let asked = [&["request", "create", "--statement", sql], &place[..]].concat();
            asks.does(&asked)["estimate"].clone()
        };
        let reads = estimated(&format!("SELECT amount FROM {salary}"));
        assert!(reads["rows"].as_u64().unwrap_or(0) > 10, "{server:?}: {reads}");
        let one = estimated(&format!("SELECT amount FROM {salary} WHERE employee_no = 7"));
        assert!(one["rows"].as_u64().unwrap() < reads["rows"].as_u64().unwrap(), "{server:?}: {one}");
        let deletes = estimated(&format!("DELETE FROM {salary} WHERE amount > 0"));
        assert!(deletes["rows"].as_u64().unwrap_or(0) > 10, "{server:?}: {deletes}");
        assert_eq!(reads["cost"].is_null(), matches!(server, Server::Mariadb), "{server:?}: {reads}");
        let nowhere = estimated(&format!("SELECT amount FROM {}", server.table("nowhere")));
        assert!(nowhere["problem"].as_str().unwrap().contains("refused to plan"), "{server:?}: {nowhere}");
        let left = lab.superuser(&format!("SELECT count(*) > 10 FROM {salary}"));
        assert!(left.contains('t') || left.contains('1'), "{server:?}: {left}");

        let log = lab.audit();
        let planned: Vec<_> = log.iter().filter(|it| it["kind"] == "explain").collect();
        assert!(planned.len() >= 3, "{server:?}: {planned:?}");
        for it in planned {
            assert_eq!((&it["principal"], &it["decision"]), (&"dana".into(), &"allow".into()), "{it}");
            assert_eq!(it["grants"][0], "estimate:all", "{it}");
            assert!(
                log.iter().any(|end| end["event"] == "statement_end" && end["statement"] == it["statement"])
            );
        }
        let (shown, _) = asks.runs(&["request", "list"]);
        let id = shown.lines().find(|line| line.contains("DELETE")).unwrap().split(' ').next().unwrap();
        assert!(asks.runs(&["request", "show", id]).0.contains("The database reckons with"), "{server:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_nothing_but_leave_for_one_statement_can_log_in_to_run_it() {
    let lab = lab!(lab());
    let login = lab.add("omar");
    assert!(login.connect().await.is_err(), "without any grant nobody is let in");
    let (asks, answers) = (Person::new(&lab, "omar"), Person::new(&lab, "lee"));
    let sql = "SELECT count(*) FROM public.salary";
    let place = ["--target", "hr", "--database", "hr_prod", "--for", "10m", "--reason", "INC-42"];
    let request = asks.does(&[&["request", "create", "--statement", sql], &place[..]].concat());
    answers.does(&["review", "approve", id(&request)]);
    let omar = login.connect().await.unwrap();
    omar.simple_query("SHOW server_version").await.unwrap();
    assert_eq!(refused(omar.simple_query("SELECT 1 FROM public.salary").await), "42501");
    omar.simple_query(sql).await.unwrap();
    assert_eq!(refused(omar.simple_query(sql).await), "42501", "once");
    assert_eq!(
        refused(omar.simple_query("SHOW server_version").await),
        "42501",
        "and then he is a stranger again"
    );
    assert!(login.connect().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_hears_of_it_and_a_draft_is_judged_by_what_happened() {
    let lab = lab!(lab());
    let dana = lab.add("dana").connect().await.unwrap();
    assert_eq!(refused(dana.simple_query("SELECT * FROM salary").await), "42501");
    let (asks, answers) = (Person::new(&lab, "dana"), Person::new(&lab, "lee"));
    let create = ["request", "create", "--target", "hr", "--database", "hr_prod", "--table", "public.salary"];
    let create = [&create[..], &["--permission", "select", "--for", "10m", "--reason", "INC-42"]].concat();
    let (waited, ()) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| asks.runs(&[&create[..], &["--wait"]].concat()));
            let mut id = String::new();
            support::eventually("the request is there", Duration::from_secs(20), || {
                let list = answers.does(&["review", "list"]);
                id = list["requests"][0]["id"].as_str().unwrap_or_default().to_owned();
                !id.is_empty()
            });
            answers.does(&["review", "approve", &id]);
            (waits.join().unwrap(), ())
        })
    });
    assert!(waited.1 && waited.0.contains("is approved"), "{waited:?}");
    dana.simple_query("SELECT max(amount) FROM salary").await.unwrap();
    dana.simple_query("EXPLAIN SELECT * FROM employee").await.unwrap();
    let (told, _) = asks.runs(&["events"]);
    assert!(
        told.contains("dana asks: select on public.salary") && told.contains("A grant is in force"),
        "{told}"
    );

    let log = lab.path("data/audit.jsonl");
    let replayed = |draft: &str, more: &[&str]| {
        let directory = lab.path(draft);
        let (log, config) = (log.to_str().unwrap().to_owned(), lab.path("tidegate.yaml"));
        let base = [
            "policy",
            "replay",
            directory.to_str().unwrap(),
            "--log",
            &log,
            "--config",
            config.to_str().unwrap(),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args([&base[..], more].concat()).current_dir(lab.path(""));
        let output = run_within(&mut command, Duration::from_secs(60));
        (text(&output), output.status.code())
    };
    let same = replayed("policies", &["--requests"]);
    assert_eq!(same.1, Some(0), "{}", same.0);
    assert!(same.0.contains("Nothing would change") && same.0.contains("1 request judged"), "{}", same.0);

    std::fs::create_dir(lab.path("draft")).unwrap();
    for entry in std::fs::read_dir(lab.path("policies")).unwrap() {
        let path = entry.unwrap().path();
        let rules = std::fs::read_to_string(&path).unwrap();
        let plans = "objects: [\"*\"], permissions: [explain]";
        let rules = rules.replace(plans, "objects: [public.salary], permissions: [select]");
        let rules = rules.replace("name: all", "name: some");
        std::fs::write(lab.path("draft").join(path.file_name().unwrap()), rules).unwrap();
    }
    let (other, code) = replayed("draft", &["--requests", "--json"]);
    assert_eq!(code, Some(3), "{other}");
    let report: Value = serde_json::from_str(&other).unwrap();
    let would = |sql: &str| {
        let all = report["statements"].as_array().unwrap();
        all.iter().find(|it| it["sql"].as_str().unwrap().starts_with(sql)).map(|it| it["would_be"].clone())
    };
    assert_eq!(would("SELECT * FROM salary"), Some("allowed".into()), "{report}");
    assert_eq!(would("EXPLAIN"), Some("refused".into()), "{report}");
    assert_eq!(would("SELECT max(amount)"), None, "its grant is there in the draft, too: {report}");
    assert_eq!(report["requests"][0]["would_be"]["flow"], "some", "{report}");
}

const BOT_SECRET: &str = "whsec_dGhlIGV4YW1wbGUncyBzaWduaW5nIHNlY3JldA==";

/// The example of `deploy/examples/approval_bot`, as it stands there.
struct Bot {
    child: std::process::Child,
    out: std::io::BufReader<std::process::ChildStdout>,
}

impl Bot {
    /// Started by the key of a principal of its own; gives where it listens, too.
    fn start(lab: &Lab) -> (Self, String) {
        lab.admin(&["user", "add", "bot", "--group", "leads", "--no-password"]);
        let key = lab.admin(&["key", "create", "approval-bot", "--for", "bot", "--scope", "review"]);
        let key = key.lines().find(|line| line.starts_with("tgk_")).unwrap();
        std::fs::write(lab.path("bot.key"), key).unwrap();
        std::fs::write(lab.path("bot.secret"), BOT_SECRET).unwrap();
        let mut child = Command::new("python3")
            .arg(support::root().join("deploy/examples/approval_bot/bot.py"))
            .env("BOT_SECRET_FILE", lab.path("bot.secret"))
            .env("TIDEGATE_KEY_FILE", lab.path("bot.key"))
            .env("TIDEGATE_API", format!("http://127.0.0.1:{}", lab.api_port()))
            .env("BOT_ADDRESS", "127.0.0.1:0")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut bot = Self { child, out };
        let address = bot.says().strip_prefix("listening on ").unwrap().to_owned();
        (bot, address)
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut self.out, &mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_told_by_a_webhook_approves_by_the_api_and_the_open_session_reads() {
    // Every test of the process installs the same one; all but the first are told that it is there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let lab = lab!(lab());
    // Without a rule every risk is high, and nothing that is would be harmless.
    let risk = "risk: [ { name: reads, level: low, when: request.read_only } ]";
    std::fs::write(lab.path("policies/risk.yaml"), risk).unwrap();
    let (mut bot, address) = Bot::start(&lab);
    assert_eq!(lab.stop_gateway("SIGTERM"), 0);
    let settings = std::fs::read_to_string(lab.path("tidegate.yaml")).unwrap();
    let webhook = format!(
        "webhooks:\n  - name: bot\n    url: http://{address}/\n    secret_file: bot.secret\n    events: [request_created]\n    allow_private: true\n    retry_ms: 100\n"
    );
    std::fs::write(lab.path("tidegate.yaml"), format!("{settings}{webhook}")).unwrap();
    lab.start_gateway();
    assert!(lab.admin(&["webhook", "test", "bot"]).contains("was taken (status 204)"));

    let dana = lab.add("dana").connect().await.unwrap();
    assert_eq!(refused(dana.simple_query("SELECT * FROM salary").await), "42501");
    let asks = Person::new(&lab, "dana");
    let place = ["--target", "hr", "--database", "hr_prod", "--for", "10m", "--table", "public.salary"];
    let request = |permission: &str, reason: &str| {
        let what = ["request", "create", "--permission", permission, "--reason", reason];
        asks.does(&[&what[..], &place[..]].concat())
    };
    let state = |request: &Value| asks.does(&["request", "show", id(request)])["state"].clone();
    let no_ticket = request("select", "because");
    let writes = request("dml", "INC-42");
    let reads = request("select", "INC-42");
    support::eventually("the bot approves", Duration::from_secs(20), || state(&reads) == "approved");
    assert_eq!(bot.says(), format!("request {} approved: reads for INC-42", id(&reads)));
    dana.simple_query("SELECT * FROM salary LIMIT 1").await.unwrap();
    // What is not harmless is left to people.
    assert_eq!((state(&no_ticket), state(&writes)), ("pending".into(), "pending".into()));
    assert_eq!(refused(dana.simple_query("DELETE FROM salary").await), "42501");

    // What nobody signed with this secret is not listened to.
    let forged = reqwest::Client::builder().no_proxy().build().unwrap().post(format!("http://{address}/"));
    let forged = forged
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", jiff::Timestamp::now().as_second())
        .header("webhook-signature", "v1,AAAA")
        .body("{}");
    assert_eq!(forged.send().await.unwrap().status(), 401);
}
