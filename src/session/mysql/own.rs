//! Commands of the gateway's own in the midst of a session, whose replies the client does not see.

use bytes::Buf;

use super::session::Session;
use crate::{
    model::refusal::{Refusal, RefusalCode},
    session::gate::{REPLY_LIMIT_BYTES, SETUP_TIMEOUT},
    upstream::{Lease, Progress, mysql::Mysql},
    wire::mysql::response::{Event, Expect, Prepared, Response, Step},
};

impl Session {
    /// Waits for the reply to what was just sent on the connection in use; gives what was prepared, if that was asked.
    ///
    /// # Errors
    /// In the server's words; or how the connection is lost, and then it is dropped.
    pub(super) async fn await_own(
        &mut self,
        expect: Expect,
        upstream_next: u8,
    ) -> Result<Option<Prepared>, Refusal> {
        let Some(lease) = self.lanes.active_lease_mut() else { return Ok(None) };
        let shape = lease.capabilities();
        let mut response = Response::new(expect, shape, upstream_next, 0, REPLY_LIMIT_BYTES);
        let answered = tokio::time::timeout(SETUP_TIMEOUT, read(lease, &mut response)).await;
        let problem = match answered {
            Ok(Ok(answer)) => return answer,
            Ok(Err(problem)) => problem,
            Err(_) => "the upstream does not answer".to_owned(),
        };
        if let Some(lane) = self.lanes.active() {
            self.drop_lane(lane);
        }
        Err(Refusal::new(RefusalCode::ConnectionFailure, problem).with_hint("Try again in a moment."))
    }
}

/// Reads a reply to its end; the outer error is that of the connection.
async fn read(
    lease: &mut Lease<Mysql>,
    response: &mut Response,
) -> Result<Result<Option<Prepared>, Refusal>, String> {
    let mut answer = Ok(None);
    loop {
        match response.step(lease.buffer_mut()).map_err(|error| error.to_string())? {
            Step::Over => return Ok(answer),
            Step::Pass(bytes) => lease.buffer_mut().advance(bytes),
            Step::Packet { bytes, event } => {
                lease.buffer_mut().advance(bytes);
                match event {
                    Event::Prepared(prepared) => answer = Ok(Some(prepared)),
                    Event::Failed(error) => {
                        answer = Err(Refusal::new(RefusalCode::NotSupported, error.message));
                    }
                    Event::LocalInfile { .. } => return Err("the upstream asks for a file".to_owned()),
                    Event::Complete(_) | Event::ResultSet { .. } | Event::Statistics => {}
                }
            }
            Step::Wait => match lease.drive().await {
                Ok(Progress::Received(0)) => return Err("the upstream closed the connection".to_owned()),
                Ok(Progress::Received(_) | Progress::Sent) => {}
                Err(error) => return Err(error.to_string()),
            },
        }
    }
}
