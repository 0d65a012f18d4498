//! `tidegate review`

use std::process::ExitCode;

use reqwest::Method;

use super::{args::Connection, args_grants::ReviewCommand, client::Api, output::show, request};
use crate::{
    api::bodies::{Answer, NewReview, RequestPage, RequestQuery, RequestView},
    model::ids::RequestId,
};

pub(super) async fn run(command: ReviewCommand) -> anyhow::Result<ExitCode> {
    match command {
        ReviewCommand::List { connection } => {
            let query = RequestQuery { to_review: true, limit: Some(200), ..RequestQuery::default() };
            let page: RequestPage = Api::new(&connection)?.get(&["requests"], &query).await?;
            show(connection.json, &page, |it| request::print(&it.requests, "Nothing waits for you."))
        }
        ReviewCommand::Approve { id, tables, permissions, lifetime, comment, connection } => {
            let review = NewReview {
                verdict: Answer::Approve,
                comment,
                objects: (!tables.is_empty()).then_some(tables),
                permissions: (!permissions.is_empty()).then(|| permissions.into_iter().collect()),
                lifetime,
            };
            answer(id, &review, &connection).await
        }
        ReviewCommand::Deny { id, comment, connection } => {
            let review = NewReview {
                verdict: Answer::Deny,
                comment,
                objects: None,
                permissions: None,
                lifetime: None,
            };
            answer(id, &review, &connection).await
        }
    }
}

async fn answer(id: RequestId, review: &NewReview, connection: &Connection) -> anyhow::Result<ExitCode> {
    let path = ["requests", &id.to_string(), "reviews"];
    let answered: RequestView = Api::new(connection)?.send(Method::POST, &path, review).await?;
    show(connection.json, &answered, request::tell)
}
