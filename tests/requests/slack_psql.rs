//! From Slack to an open psql and back: the gateway as people run it, with something that stands for Slack.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::lab;

use super::{
    Person, id, lab_with,
    slack_support::{
        APP_TOKEN, BOT_TOKEN, CHANNEL, SIGNING_SECRET, Slack, TEAM,
        payloads::{body_of, signature},
    },
    support::{Lab, Server, shell::Shell},
};

/// A laboratory whose gateway speaks with what stands for Slack.
struct Office {
    lab: Lab,
    slack: Slack,
    port: u16,
    _secrets: tempfile::TempDir,
}

impl Office {
    /// Over a WebSocket, or over HTTP.
    fn open(is_socket: bool) -> Option<Self> {
        // Every test of the process installs the same one; all but the first are told that it is there.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let slack = Slack::start();
        let secrets = tempfile::tempdir().unwrap();
        let secret = |name: &str, text: &str| {
            let path = secrets.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let door = match is_socket {
            true => format!("app_token_file: \"{}\"", secret("app", APP_TOKEN)),
            false => format!(
                "http: {{ address: \"127.0.0.1:{port}\", signing_secret_file: \"{}\" }}",
                secret("signing", SIGNING_SECRET)
            ),
        };
        let section = format!(
            "slack: {{ team: {TEAM}, bot_token_file: \"{}\", {door}, channel: {CHANNEL}, api_url: \"{}\" }}",
            secret("bot", BOT_TOKEN),
            slack.api
        );
        let lab = lab_with(Server::Postgres, &json!({ "plaintext": true, "slack": section }))?;
        Some(Self { lab, slack, port, _secrets: secrets })
    }

    async fn sends(&self, payload: &Value) -> Value {
        let body = body_of(payload);
        let now = jiff::Timestamp::now().as_second();
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = request
            .post(format!("http://127.0.0.1:{}/slack/interactions", self.port))
            .header("x-slack-request-timestamp", now.to_string())
            .header("x-slack-signature", signature(now, &body));
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null)
    }

    async fn links(&self, user: &str, person: &Person<'_>, code: &str) {
        let (asked, is_good) = person.runs(&["slack", "link", code]);
        assert!(!is_good && asked.contains("give --yes"), "{asked}");
        let (linked, is_good) = person.runs(&["slack", "link", code, "--yes"]);
        assert!(is_good && linked.contains(&format!("Slack user {user}")), "{linked}");
    }

    async fn code(&self) -> String {
        let told = self.slack.whisper().await;
        told.split("tidegate slack link ").nth(1).unwrap().get(..11).unwrap().to_owned()
    }
}

fn reads(shell: &mut Shell) -> bool {
    let answer = shell.ask("SELECT count(*) > 0 FROM salary;");
    let is_refused = answer.contains("permission denied");
    assert!(is_refused || answer.trim() == "t", "{answer}");
    !is_refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_in_slack_opens_the_table_in_a_psql_that_was_open_before_and_the_message_tells_its_end() {
    let office = lab!(Office::open(false));
    let Office { lab, slack, .. } = &office;
    let (asks, answers) = (Person::new(lab, "dana"), Person::new(lab, "lee"));
    slack.member("U0LEE", None);
    office.sends(&slack.command("U0LEE", "link")).await;
    office.links("U0LEE", &answers, &office.code().await).await;

    let login = lab.add("dana");
    let mut psql = Shell::open(&login);
    assert!(!reads(&mut psql));
    let asked = ["request", "create", "--target", "hr", "--database", "hr_prod", "--table", "public.salary"];
    let asked = [&asked[..], &["--permission", "select", "--for", "10m", "--reason", "INC-42"]].concat();
    let request = asks.does(&asked);
    let (ts, message) = slack.shows(CHANNEL, &[id(&request), "dana", "public.salary", "INC-42"]).await;
    assert!(!reads(&mut psql));
    office.sends(&slack.click("U0LEE", &message, "Approve")).await;
    slack.shows(CHANNEL, &[id(&request), "Approved by lee; the grant is in force"]).await;
    assert!(reads(&mut psql));

    let grant = asks.does(&["request", "show", id(&request)])["grant"].as_str().unwrap().to_owned();
    asks.does(&["grant", "revoke", &grant, "--reason", "done"]);
    let (same, _) = slack.shows(CHANNEL, &[id(&request), "revoked by dana: done"]).await;
    assert_eq!(same, ts);
    assert!(!reads(&mut psql));

    // Killed between the decision and the message.
    let request = asks.does(&asked);
    let (ts, message) = slack.shows(CHANNEL, &[id(&request), "Waits for"]).await;
    slack.state().is_down = true;
    office.sends(&slack.click("U0LEE", &message, "Approve")).await;
    slack.waits("an attempt", |state| (state.turned_away > 0).then_some(())).await;
    lab.stop_gateway("SIGKILL");
    slack.state().is_down = false;
    lab.start_gateway();
    let (same, _) = slack.shows(CHANNEL, &[id(&request), "Approved by lee; the grant is in force"]).await;
    assert_eq!(same, ts);
    assert!(reads(&mut Shell::open(&login)));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_websocket_somebody_asks_in_slack_and_gets_less_until_its_end() {
    let office = lab!(Office::open(true));
    let Office { lab, slack, .. } = &office;
    let (asks, answers) = (Person::new(lab, "dana"), Person::new(lab, "lee"));
    for (user, person) in [("U0DANA", &asks), ("U0LEE", &answers)] {
        slack.member(user, None);
        slack.envelope("slash_commands", slack.command(user, "link")).await;
        office.links(user, person, &office.code().await).await;
    }
    let mut psql = Shell::open(&lab.add("dana"));
    assert!(!reads(&mut psql));
    slack.envelope("slash_commands", slack.command("U0DANA", "request")).await;
    let form = slack.view("Ask for access").await;
    let filled = json!({ "target": "hr", "database": "hr_prod", "objects": "public.*", "permissions": ["select"],
        "duration": "30m", "reason": "INC-42" });
    let told = slack.envelope("interactive", slack.submission("U0DANA", &form, filled)).await;
    assert!(told["payload"]["view"].to_string().contains("waits for leads"), "{told}");
    let (_, message) = slack.shows(CHANNEL, &["dana", "public.*"]).await;
    slack.envelope("interactive", slack.click("U0LEE", &message, "Approve less…")).await;
    let form = slack.view("Approve less").await;
    let less = json!({ "objects": "public.salary", "duration": "4s", "comment": "quickly" });
    slack.envelope("interactive", slack.submission("U0LEE", &form, less)).await;
    slack.shows(CHANNEL, &["lee approved, only on public.salary for 4s: quickly"]).await;
    assert!(reads(&mut psql));
    assert!(psql.ask("SELECT count(*) FROM employee;").contains("permission denied"));
    slack.shows("DU0DANA", &["Approved by lee", "quickly"]).await;
    slack.shows(CHANNEL, &["the grant has ended"]).await;
    assert!(!reads(&mut psql));

    // A statement that does not fit is read elsewhere before it is approved.
    let sql = format!("SELECT count(*) FROM salary WHERE '{}' = ''", "x".repeat(20_000));
    let long = asks.does(&[
        "request",
        "create",
        "--target",
        "hr",
        "--database",
        "hr_prod",
        "--statement",
        &sql,
        "--for",
        "10m",
        "--reason",
        "INC-43",
    ]);
    let (_, message) = slack.shows(CHANNEL, &[id(&long), "too long to be shown"]).await;
    assert!(!message.to_string().contains("\"Approve\""), "{message}");
    slack.envelope("interactive", slack.click("U0LEE", &message, "Deny…")).await;
    let form = slack.view("\"Deny\"").await;
    slack.envelope("interactive", slack.submission("U0LEE", &form, json!({ "comment": "too long" }))).await;
    slack.shows(CHANNEL, &[id(&long), "Denied by lee."]).await;
}
