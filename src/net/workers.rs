//! The threads that serve clients.
//!
//! Each has a runtime of its own, and what is placed on one stays there: a client's connection, its session and the
//! upstream connections that it uses are read, written and woken on one thread, and nothing is handed over on the way.

use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The way to the threads; cheap to clone.
#[derive(Clone, Debug)]
pub struct Workers(Arc<[Worker]>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Tasks that are placed on it and not over.
    placed: AtomicUsize,
}

/// The threads themselves. Dropped, they end, and with them what is placed on them, wherever it waits.
///
/// Must not be dropped on one of them.
#[derive(Debug)]
pub struct WorkerThreads {
    stops: Vec<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// When the system gives no thread, or no way to wait for its sockets.
    pub fn start(count: NonZeroUsize) -> io::Result<(Self, WorkerThreads)> {
        let mut started = WorkerThreads { stops: Vec::new(), threads: Vec::new() };
        let mut workers = Vec::with_capacity(count.get());
        for number in 0..count.get() {
            let (stop, stopped) = oneshot::channel();
            let (tell, told) = mpsc::sync_channel(1);
            let work = move || work(&tell, stopped);
            started.threads.push(thread::Builder::new().name(format!("worker-{number}")).spawn(work)?);
            started.stops.push(stop);
            let runtime = told.recv().map_err(io::Error::other)??;
            workers.push(Worker { runtime, placed: AtomicUsize::new(0) });
        }
        Ok((Self(workers.into()), started))
    }

    /// Places a task on the thread that has the fewest.
    pub fn place(&self, task: impl Future<Output = ()> + Send + 'static) {
        let counts = self.0.iter().map(|worker| worker.placed.load(Ordering::Relaxed));
        let fewest = counts.enumerate().min_by_key(|(_, count)| *count).map_or(0, |(number, _)| number);
        let Some(worker) = self.0.get(fewest) else { return };
        worker.placed.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { workers: Arc::clone(&self.0), number: fewest };
        worker.runtime.spawn(async move {
            let _seat = seat;
            task.await;
        });
    }
}

/// A task's part of the count of its thread.
struct Seat {
    workers: Arc<[Worker]>,
    number: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(worker) = self.workers.get(self.number) {
            worker.placed.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn work(tell: &mpsc::SyncSender<io::Result<Handle>>, stopped: oneshot::Receiver<()>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever starts the threads waits for it.
            let _told = tell.send(Err(error));
            return;
        }
    };
    let _told = tell.send(Ok(runtime.handle().clone()));
    // Dropping the other end says so as well.
    let _stopped = runtime.block_on(stopped);
    // Nobody waits for what blocks.
    runtime.shutdown_background();
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            // It panicked: there is nothing left of it to end.
            let _ended = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn start(count: usize) -> (Workers, WorkerThreads) {
        Workers::start(NonZeroUsize::new(count).unwrap()).unwrap()
    }

    #[test]
    fn tasks_are_spread_evenly_and_stay_on_their_thread() {
        let (workers, _threads) = start(2);
        let (tell, told) = mpsc::channel();
        for _ in 0..4 {
            let tell = tell.clone();
            workers.place(async move {
                let before = thread::current().id();
                tokio::task::yield_now().await;
                tell.send((before, thread::current().id())).unwrap();
                std::future::pending::<()>().await;
            });
        }
        let all: Vec<_> = told.iter().take(4).collect();
        assert!(all.iter().all(|(before, after)| before == after));
        let first = all.iter().filter(|(thread, _)| *thread == all[0].0).count();
        assert_eq!(first, 2);
    }

    #[test]
    fn what_is_over_makes_room_on_its_thread() {
        let (workers, _threads) = start(2);
        let place = |tell: mpsc::Sender<_>| {
            workers.place(async move { tell.send(thread::current().id()).unwrap() });
        };
        let (tell, told) = mpsc::channel();
        place(tell.clone());
        let first = told.recv().unwrap();
        while workers.0.iter().any(|worker| worker.placed.load(Ordering::Relaxed) > 0) {
            thread::yield_now();
        }
        place(tell);
        assert_eq!(told.recv().unwrap(), first);
    }

    #[test]
    fn the_end_of_the_threads_drops_what_waits_on_them() {
        let (workers, threads) = start(1);
        let (held, gone) = mpsc::channel::<()>();
        workers.place(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(threads);
        assert!(gone.recv().is_err());
    }
}
