//! Cursors of prepared statements: more rows of what runs already.

use bytes::BytesMut;

use super::{flight::Task, held::no_statement, once::sent, session::Session};
use crate::{
    model::{
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::Claimed,
    session::{allowed::Allowed, judge::Refused},
    upstream::mysql::MysqlMessage,
    wire::mysql::{command::write, error::ErrorCode, response::Expect},
};

impl Session {
    /// COM_STMT_FETCH: rows of a cursor, decided like an execution and on record as one.
    pub(super) async fn fetch(&mut self, asked: u32, rows: u32, next: u8) {
        let number = self.number(asked);
        let open = self.held.slot(number).and_then(|slot| Some((slot.cursor?, slot.on(slot.cursor?)?)));
        let Some((lane, upstream)) = open else {
            return self.say(next, ErrorCode::new(1421, "HY000"), "The statement has no open cursor.");
        };
        let once = self.held.slot(number).and_then(|slot| slot.once);
        let Some(allowed) = self.judge_fetch(number, once, next).await else { return };
        let there = match self.bound_lane() {
            Some(bound) if bound != lane => Err(elsewhere()),
            Some(_) | None => self.take_lane(lane, None).await,
        };
        // Getting there may have lost it.
        let lost = self.held.slot(number).is_none_or(|slot| slot.cursor != Some(lane));
        if let Err(refusal) = there.and_then(|()| if lost { Err(elsewhere()) } else { Ok(()) }) {
            return self.refuse_allowed(next, vec![allowed], refusal).await;
        }
        let recorded = match self.record(vec![allowed], once).await {
            Ok(Some(recorded)) => recorded,
            Ok(None) => return,
            Err(refusal) => return self.say_refusal(next, &refusal),
        };
        let mut command = BytesMut::new();
        write::fetch(&mut command, upstream, rows);
        let Some(lease) = self.lanes.active_lease_mut() else { return };
        let sent = lease.send_fetch(&command, &recorded.permit);
        debug_assert!(sent.is_ok(), "{sent:?}");
        let task = Task::Run { run: recorded.run, prepared: Some(number) };
        self.take_off(lane, Expect::Fetch, sent.unwrap_or(1), next, task);
    }

    /// Decides on more rows, on the leave that was used up for the rows before if that was so; answers if they may not
    /// be had.
    async fn judge_fetch(&mut self, number: u32, once: Option<Claimed>, next: u8) -> Option<Allowed> {
        let (text, does) = match self.prepared(number) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                self.say_refusal(next, &refusal);
                return None;
            }
        };
        let verdict = match once {
            Some(claimed) => self.desk.goes_on(claimed).map_err(Refused::from),
            None => self.judge(&text, &does),
        };
        match verdict {
            Ok(permit) => {
                self.note_plans(&does);
                Some(Allowed { text: sent(&does, text), does, permit })
            }
            Err(refused) => {
                self.refuse_judged(&text, &does, refused, next).await;
                None
            }
        }
    }

    /// COM_STMT_RESET.
    pub(super) fn reset_statement(&mut self, asked: u32, next: u8) {
        let number = self.number(asked);
        self.held.take_long_data(number);
        let Some(slot) = self.held.slot(number) else {
            return self.say_refusal(next, &no_statement(asked, "mysqld_stmt_reset"));
        };
        let cursor = slot.cursor.and_then(|lane| Some((lane, slot.on(lane)?)));
        match cursor {
            None => self.say_ok(next),
            Some((lane, upstream)) if self.lanes.active() == Some(lane) => {
                let Some(lease) = self.lanes.active_lease_mut() else { return };
                let sent = lease.send_protocol(MysqlMessage::StmtReset(upstream)).unwrap_or(1);
                self.take_off(lane, Expect::Simple, sent, next, Task::Reset(number));
            }
            Some((lane, upstream)) => {
                slot.put_on(lane, None);
                self.lanes.note_stale(lane, upstream);
                self.say_ok(next);
            }
        }
    }

    /// A cursor that is open on another connection is closed with the statement there.
    pub(super) fn close_cursor_elsewhere(&mut self, number: u32, lane: Lane) {
        let Some(slot) = self.held.slot(number) else { return };
        let Some(elsewhere) = slot.cursor.filter(|cursor| *cursor != lane) else { return };
        if let Some(upstream) = slot.on(elsewhere) {
            slot.put_on(elsewhere, None);
            self.lanes.note_stale(elsewhere, upstream);
        }
    }
}

fn elsewhere() -> Refusal {
    Refusal::new(RefusalCode::InvalidCursorName, "the cursor is on a connection that is not in use now")
        .with_hint("End the transaction, or execute the statement again.")
}
