//! How a statement of the gateway's own is asked.

use bytes::BytesMut;

use super::{protocol::Postgres, setup::own_query};
use crate::{
    audit::Receipt,
    policy::Permit,
    upstream::{ask::Ask, connection::Connection, error::UpstreamError, lease::Lease},
};

impl Ask for Postgres {
    type Sent = ();

    fn send(
        lease: &mut Lease<Self>,
        text: &str,
        permit: &Permit,
        stored: &Receipt,
    ) -> Result<(), UpstreamError> {
        if text.contains('\0') {
            return Err(UpstreamError::Misuse { what: "a statement has a zero byte" });
        }
        let mut message = BytesMut::new();
        own_query(&mut message, text);
        lease.send_statement(&message, permit, stored)
    }

    async fn answer(connection: &mut Connection<Self>, (): ()) -> Result<Vec<String>, UpstreamError> {
        let answers = connection.collect(1).await?;
        Ok(answers.rows.iter().filter_map(|row| row.text(0)).map(str::to_owned).collect())
    }
}
