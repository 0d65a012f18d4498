//! Where what a statement gives goes: to the page, no faster than it reads.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};

use super::line::{Column, Complete, Line, Row};

/// The way to one page. Once the page is gone, what comes is thrown away.
pub(super) struct Sink {
    lines: mpsc::Sender<Bytes>,
    /// So many rows of a result are sent; the others are counted.
    most_rows: u64,
    rows: Vec<Row>,
    row_bytes: usize,
    counted: u64,
    shown: u64,
    gone: Gone,
}

/// Tells that nobody reads any more.
#[derive(Clone)]
pub(super) struct Gone {
    lines: mpsc::Sender<Bytes>,
    stalled: Arc<Notify>,
}

impl Gone {
    /// Waits until the page is gone, or has not read for too long.
    pub(super) async fn wait(&self) {
        tokio::select! {
            () = self.lines.closed() => {}
            () = self.stalled.notified() => {}
        }
    }
}

impl Sink {
    pub(super) fn new(lines: mpsc::Sender<Bytes>, most_rows: u64) -> Self {
        let gone = Gone { lines: lines.clone(), stalled: Arc::default() };
        Self { lines, most_rows, rows: Vec::new(), row_bytes: 0, counted: 0, shown: 0, gone }
    }

    pub(super) fn gone(&self) -> Gone {
        self.gone.clone()
    }

    pub(super) async fn columns(&mut self, columns: Vec<Column>) {
        (self.counted, self.shown) = (0, 0);
        self.say(&Line::Columns(columns)).await;
    }

    pub(super) async fn row(&mut self, row: Row) {
        self.counted += 1;
        if self.counted > self.most_rows {
            return;
        }
        self.shown += 1;
        self.row_bytes += row.iter().flatten().map(String::len).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() >= ROWS_OF_A_LINE || self.row_bytes >= BYTES_OF_A_LINE {
            self.flush().await;
        }
    }

    pub(super) async fn complete(&mut self, command: String, rows: Option<u64>) {
        self.flush().await;
        let shown = std::mem::take(&mut self.shown);
        self.say(&Line::Complete(Complete { command, rows, shown })).await;
    }

    /// Rows that the result had so far.
    pub(super) const fn counted(&self) -> u64 {
        self.counted
    }

    pub(super) async fn say(&mut self, line: &Line) {
        self.flush().await;
        self.send(line).await;
    }

    async fn flush(&mut self) {
        if !self.rows.is_empty() {
            let rows = Line::Rows(std::mem::take(&mut self.rows));
            self.row_bytes = 0;
            self.send(&rows).await;
        }
    }

    async fn send(&self, line: &Line) {
        // What is made of texts and numbers alone has a form as JSON.
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        if timeout(PATIENCE, self.lines.send(text.into())).await.is_err() {
            self.gone.stalled.notify_one();
        }
    }
}

const ROWS_OF_A_LINE: usize = 500;
const BYTES_OF_A_LINE: usize = 64 << 10;
/// A page that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(most_rows: u64, rows: u64) -> Vec<String> {
        let (lines, mut told) = mpsc::channel(64);
        let mut sink = Sink::new(lines, most_rows);
        sink.columns(vec![Column { name: "n".to_owned(), kind: "int4" }]).await;
        for number in 0..rows {
            sink.row(vec![Some(number.to_string())]).await;
        }
        sink.complete("SELECT".to_owned(), Some(rows)).await;
        drop(sink);
        let mut lines = Vec::new();
        while let Some(line) = told.recv().await {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
        lines
    }

    #[tokio::test]
    async fn rows_past_the_most_are_counted_and_not_sent() {
        assert_eq!(
            told(2, 3).await,
            [
                "{\"columns\":[{\"name\":\"n\",\"type\":\"int4\"}]}\n",
                "{\"rows\":[[\"0\"],[\"1\"]]}\n",
                "{\"complete\":{\"command\":\"SELECT\",\"rows\":3,\"shown\":2}}\n",
            ]
        );
    }

    #[tokio::test]
    async fn rows_go_many_at_a_time() {
        let lines = told(u64::MAX, 1001).await;
        assert_eq!(lines.iter().filter(|line| line.starts_with("{\"rows\"")).count(), 3);
    }

    #[tokio::test]
    async fn a_page_that_is_gone_is_noticed_and_holds_up_nothing() {
        let (lines, told) = mpsc::channel(1);
        let mut sink = Sink::new(lines, 10);
        let gone = sink.gone();
        drop(told);
        gone.wait().await;
        for _ in 0..3 {
            sink.complete("SELECT".to_owned(), None).await;
        }
    }
}
