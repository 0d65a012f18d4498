//! The connections of all pages.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    time::{interval, timeout},
};
use tracing::debug;
use uuid::Uuid;

use super::{
    client::{Canceller, Client},
    error::EditorError,
    line::{End, Line, Report},
    mysql,
    ports::{Dial, TargetInfo},
    postgres::{self, Copied},
    sink::Sink,
    tab::Tab,
};
use crate::{
    control::{Caller, Control, Lifetime, NewToken},
    model::{
        dialect::Dialect,
        ids::{DatabaseName, PrincipalName, TargetName},
        secret::Secret,
    },
};

/// The connections of all pages; cheap to clone.
#[derive(Clone)]
pub struct Editor(Arc<Inner>);

struct Inner {
    control: Control,
    dial: Arc<dyn Dial>,
    tabs: Mutex<HashMap<Uuid, Arc<Tab>>>,
}

impl std::fmt::Debug for Editor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Editor").finish_non_exhaustive()
    }
}

/// Whether rows were begun to be sent, or why not.
pub(super) type Begun = Result<mpsc::Receiver<Result<Bytes, EditorError>>, Report>;

impl Editor {
    /// One without tabs, whose connections come from `dial`.
    pub fn new(control: Control, dial: Arc<dyn Dial>) -> Self {
        Self(Arc::new(Inner { control, dial, tabs: Mutex::default() }))
    }

    /// Closes tabs that nobody uses, and those whose person is not let in any more, for as long as it is waited for.
    pub async fn tend(&self) {
        let mut ticks = interval(TEND_EVERY);
        loop {
            ticks.tick().await;
            let over: Vec<Uuid> = self.with_tabs(|tabs| {
                let is_over = |tab: &Tab| tab.is_idle() || self.0.control.again(&tab.caller).is_none();
                tabs.iter().filter(|(_, tab)| is_over(tab)).map(|(id, _)| *id).collect()
            });
            for id in over {
                debug!(tab = %id, "closed a tab of the console");
                self.close(id);
            }
        }
    }

    pub(super) fn targets(&self) -> Vec<TargetInfo> {
        self.0.dial.targets()
    }

    /// Opens a tab.
    ///
    /// # Errors
    /// `Stopping`, `Limit`, `UnknownTarget`, `Control`, `Refused`, `Lost`, `Protocol`, `TimedOut`.
    pub(super) async fn open(
        &self,
        (owner, caller): (PrincipalName, Caller),
        from: SocketAddr,
        target: TargetName,
        database: DatabaseName,
    ) -> Result<(Uuid, Dialect), EditorError> {
        if self.0.control.is_stopping() {
            return Err(EditorError::Stopping);
        }
        self.with_tabs(|tabs| room(tabs, &owner))?;
        let known = self.targets().into_iter().find(|known| known.name == target);
        let dialect = known.ok_or_else(|| EditorError::UnknownTarget(target.clone()))?.dialect;
        let client = self.log_in(&owner, from, &target, &database, dialect).await?;
        let tab = Arc::new(Tab::new((owner.clone(), caller), from, (target, database), client));
        let id = Uuid::new_v4();
        // Others of the same person may have been opened meanwhile.
        self.with_tabs(|tabs| {
            room(tabs, &owner)?;
            tabs.insert(id, tab);
            Ok::<_, EditorError>(())
        })?;
        Ok((id, dialect))
    }

    /// Closes a tab: nothing is begun in it any more, and what runs in it is left. Its connection goes with the last
    /// who holds it, and the gate cancels what runs on it.
    pub(super) fn close(&self, id: Uuid) {
        if let Some(tab) = self.with_tabs(|tabs| tabs.remove(&id)) {
            tab.close();
        }
    }

    /// The tab of this name, if it is `owner`'s.
    ///
    /// # Errors
    /// `UnknownTab`.
    pub(super) fn tab(&self, owner: &PrincipalName, id: Uuid) -> Result<Arc<Tab>, EditorError> {
        let tab = self.with_tabs(|tabs| tabs.get(&id).cloned());
        tab.filter(|tab| tab.owner == *owner).ok_or(EditorError::UnknownTab)
    }

    /// Runs `sql` in a tab; what it gives comes as lines.
    ///
    /// # Errors
    /// `UnknownTab`, `Busy`.
    pub(super) fn run(
        &self,
        owner: &PrincipalName,
        id: Uuid,
        sql: String,
        most_rows: u64,
    ) -> Result<mpsc::Receiver<Bytes>, EditorError> {
        let tab = self.tab(owner, id)?;
        let client = tab.take()?;
        let (lines, told) = mpsc::channel(LINES_AHEAD);
        let (editor, sink) = (self.clone(), Sink::new(lines, most_rows));
        tokio::spawn(async move { editor.run_to_the_end(id, tab, client, &sql, sink).await });
        Ok(told)
    }

    async fn run_to_the_end(
        &self,
        id: Uuid,
        tab: Arc<Tab>,
        mut client: OwnedMutexGuard<Client>,
        sql: &str,
        mut sink: Sink,
    ) {
        let begun = Instant::now();
        let gone = sink.gone();
        let ran = {
            let mut run = std::pin::pin!(client.run(sql, &mut sink));
            tokio::select! {
                ran = &mut run => ran,
                () = tab.closed() => Err(EditorError::UnknownTab),
                () = gone.wait() => {
                    // Nobody waits for it any more.
                    self.cancel(&tab).await;
                    tokio::select! {
                        ran = timeout(SETTLE, run) => ran.unwrap_or(Err(EditorError::TimedOut)),
                        () = tab.closed() => Err(EditorError::UnknownTab),
                    }
                }
            }
        };
        let transaction = client.transaction();
        tab.note(transaction);
        if ran.is_err() {
            self.close(id);
        }
        // Free for the next statement, or gone, before the page hears of it, which may take its time.
        drop((client, tab));
        let closed = ran.is_err();
        if let Err(error) = ran {
            sink.say(&Line::Error(Report::of("08006", error.to_string()))).await;
        }
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        sink.say(&Line::End(End { transaction, ms, closed })).await;
    }

    /// Begins to send the rows of `sql` as CSV.
    ///
    /// # Errors
    /// `UnknownTab`, `Busy`, `NoExport`; `Lost` and `Protocol`: the tab is closed.
    pub(super) async fn export(
        &self,
        owner: &PrincipalName,
        id: Uuid,
        sql: &str,
    ) -> Result<Begun, EditorError> {
        let tab = self.tab(owner, id)?;
        let mut client = tab.take()?;
        // Whoever asked may be gone in the midst of it: what came next would be taken for another statement's.
        let mut midst = Midst { editor: self, id, is_whole: false };
        let begun = tokio::select! {
            begun = client.begin_export(sql) => begun,
            () = tab.closed() => Err(EditorError::UnknownTab),
        };
        midst.is_whole = matches!(begun, Ok(_) | Err(EditorError::NoExport));
        drop(midst);
        let begun = begun?;
        tab.note(client.transaction());
        if let Err(report) = begun {
            return Ok(Err(report));
        }
        let (pieces, sent) = mpsc::channel(LINES_AHEAD);
        let editor = self.clone();
        tokio::spawn(async move { editor.export_to_the_end(id, tab, client, pieces).await });
        Ok(Ok(sent))
    }

    async fn export_to_the_end(
        &self,
        id: Uuid,
        tab: Arc<Tab>,
        mut client: OwnedMutexGuard<Client>,
        pieces: mpsc::Sender<Result<Bytes, EditorError>>,
    ) {
        let sent = tokio::select! {
            sent = send_pieces(&mut client, &pieces) => sent,
            () = tab.closed() => Err(EditorError::UnknownTab),
        };
        if sent.is_ok() {
            tab.note(client.transaction());
        } else {
            // Half a file is of no use to anybody: the connection is as good as gone.
            self.close(id);
        }
        drop((client, tab));
        let problem = match sent {
            Ok(Ok(())) => return,
            Ok(Err(report)) => EditorError::refused(report),
            Err(error) => error,
        };
        drop(timeout(PATIENCE, pieces.send(Err(problem))).await);
    }

    /// Has the gate cancel what runs in a tab; that it does is told by what runs.
    pub(super) async fn cancel(&self, tab: &Tab) {
        if let Err(error) = self.try_cancel(tab).await {
            debug!(%error, "a statement of the console was not cancelled");
        }
    }

    async fn try_cancel(&self, tab: &Tab) -> Result<(), EditorError> {
        match &tab.canceller {
            Canceller::Postgres(None) => Ok(()),
            Canceller::Postgres(Some(key)) => {
                let stream = self.0.dial.dial(&tab.target, tab.from).await?;
                timeout(SETTLE, postgres::cancel(stream, key)).await.unwrap_or(Err(EditorError::TimedOut))
            }
            Canceller::Mysql(session) => {
                let Tab { owner, from, target, database, .. } = tab;
                let client = self.log_in(owner, *from, target, database, Dialect::Mysql).await?;
                let Client::Mysql(client) = client else { return Ok(()) };
                let kill = mysql::kill(client, *session);
                timeout(SETTLE, kill).await.unwrap_or(Err(EditorError::TimedOut))
            }
        }
    }

    /// A connection on which `owner` is logged in, by a token that is good for nothing afterwards.
    async fn log_in(
        &self,
        owner: &PrincipalName,
        from: SocketAddr,
        target: &TargetName,
        database: &DatabaseName,
        dialect: Dialect,
    ) -> Result<Client, EditorError> {
        let control = &self.0.control;
        let stream = self.0.dial.dial(target, from).await?;
        let new =
            NewToken { principal: owner.clone(), name: "console".to_owned(), lifetime: Lifetime::MINUTE };
        let made = control.create_token(owner, new).await?;
        let secret = Secret::new(made.secret);
        let client = Client::log_in(stream, dialect, owner, database, secret).await;
        // Before anything else, whatever became of the login.
        control.revoke_token(owner, made.token.id).await?;
        client
    }

    fn with_tabs<T>(&self, look: impl FnOnce(&mut HashMap<Uuid, Arc<Tab>>) -> T) -> T {
        look(&mut self.0.tabs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Forgets a tab, and with it its connection, unless what was begun came to a whole answer.
struct Midst<'e> {
    editor: &'e Editor,
    id: Uuid,
    is_whole: bool,
}

impl Drop for Midst<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.editor.close(self.id);
        }
    }
}

/// Sends the rows of an export for as long as the page takes them; gives why there are no more, if they end early.
///
/// # Errors
/// `TimedOut` when the page is gone or does not read; `Lost` and `Protocol`.
async fn send_pieces(
    client: &mut Client,
    pieces: &mpsc::Sender<Result<Bytes, EditorError>>,
) -> Result<Result<(), Report>, EditorError> {
    loop {
        let copied = tokio::select! {
            copied = client.export() => copied?,
            () = pieces.closed() => return Err(EditorError::TimedOut),
        };
        match copied {
            // A page that does not read holds no connection.
            Copied::Data(data) => match timeout(PATIENCE, pieces.send(Ok(data))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(EditorError::TimedOut),
            },
            Copied::Failed(report) => return Ok(Err(report)),
            Copied::Over => return Ok(Ok(())),
        }
    }
}

fn room(tabs: &HashMap<Uuid, Arc<Tab>>, owner: &PrincipalName) -> Result<(), EditorError> {
    match (tabs.len(), tabs.values().filter(|tab| tab.owner == *owner).count()) {
        (_, MOST_TABS_EACH..) => Err(EditorError::Limit(MOST_TABS_EACH)),
        (MOST_TABS.., _) => Err(EditorError::Limit(MOST_TABS)),
        _ => Ok(()),
    }
}

const MOST_TABS_EACH: usize = 8;
const MOST_TABS: usize = 400;
/// Lines are as long as their rows: one waits while the next is made.
const LINES_AHEAD: usize = 1;
/// How long a page may take to read a piece of an export.
const PATIENCE: Duration = Duration::from_secs(60);
const TEND_EVERY: Duration = Duration::from_secs(5);
/// How long something that was cancelled has to end.
const SETTLE: Duration = Duration::from_secs(10);
