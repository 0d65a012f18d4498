//! How a statement of the gateway's own is asked.

use bytes::BytesMut;

use super::protocol::Mysql;
use crate::{
    audit::Receipt,
    policy::Permit,
    upstream::{ask::Ask, connection::Connection, error::UpstreamError, lease::Lease},
    wire::mysql::{command::write, execute::Attributes},
};

impl Ask for Mysql {
    /// The number that the answer begins with.
    type Sent = u8;

    fn send(
        lease: &mut Lease<Self>,
        text: &str,
        permit: &Permit,
        stored: &Receipt,
    ) -> Result<u8, UpstreamError> {
        let mut command = BytesMut::new();
        let shape = lease.capabilities();
        write::query(&mut command, text.as_bytes(), Attributes::default(), shape);
        lease.send_statement(&command, permit, stored)
    }

    async fn answer(connection: &mut Connection<Self>, next: u8) -> Result<Vec<String>, UpstreamError> {
        let rows = connection.rows(next).await?;
        Ok(rows.iter().filter_map(|row| row.text(0)).map(str::to_owned).collect())
    }
}
