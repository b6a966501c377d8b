//! The threads that connections are served on. A thread that serves its connections alone wakes nobody
//! and waits for nobody: for a proxy that is worth a third of its time. Connections are handed out in
//! turn, which spreads long-lived ones more evenly than the system does over listeners that share a port.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::Service;
use crate::limits::Limits;
use crate::listener::Accepted;
use crate::registry::Seat;
use crate::tls::Tls;

/// Threads of a listener; none: the program's own.
pub(crate) struct Workers {
    doors: Vec<UnboundedSender<Handed>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
    service: Arc<dyn Service>,
    limits: Arc<Limits>,
    over: watch::Sender<bool>,
    /// Connections on the program's threads.
    tasks: JoinSet<()>,
}

/// A connection on its way to another thread, registered with none.
struct Handed {
    stream: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    permit: OwnedSemaphorePermit,
    tls: Option<Arc<Tls>>,
}

impl Workers {
    pub(crate) fn start(count: usize, service: &Arc<dyn Service>, limits: &Arc<Limits>) -> Self {
        let (over, ended) = watch::channel(false);
        let mut workers = Self {
            doors: Vec::new(),
            threads: Vec::new(),
            next: 0,
            service: Arc::clone(service),
            limits: Arc::clone(limits),
            over,
            tasks: JoinSet::new(),
        };
        for number in 0..count {
            let (door, room) = unbounded_channel();
            let (service, limits, ended) = (Arc::clone(service), Arc::clone(limits), ended.clone());
            let thread = std::thread::Builder::new()
                .name(format!("connections-{number}"))
                .spawn(move || work(room, &service, &limits, ended));
            match thread {
                Ok(thread) => {
                    workers.doors.push(door);
                    workers.threads.push(thread);
                }
                // Fewer threads serve as well.
                Err(error) => warn!(%error, "cannot start a thread for connections"),
            }
        }
        workers
    }

    pub(crate) fn serve(&mut self, accepted: Accepted) {
        self.next = self.next.wrapping_add(1);
        let count = self.doors.len();
        let Some(door) = self
            .doors
            .get(self.next.checked_rem(count).unwrap_or_default())
        else {
            let (service, limits) = (Arc::clone(&self.service), Arc::clone(&self.limits));
            while self.tasks.try_join_next().is_some() {}
            self.tasks.spawn(accepted.serve(service, limits));
            return;
        };
        let Accepted {
            stream,
            peer,
            seat,
            permit,
            tls,
        } = accepted;
        match stream.into_std() {
            // A thread that has ended takes the connection with it, which is what it would do anyway.
            Ok(stream) => drop(door.send(Handed {
                stream,
                peer,
                seat,
                permit,
                tls,
            })),
            Err(error) => warn!(%error, "cannot hand a connection over"),
        }
    }

    /// Ends the threads and whatever they still serve.
    pub(crate) fn stop(self) {
        let _ = self.over.send(true);
        drop(self.doors);
        for thread in self.threads {
            drop(thread.join());
        }
    }
}

fn work(
    mut room: UnboundedReceiver<Handed>,
    service: &Arc<dyn Service>,
    limits: &Arc<Limits>,
    mut ended: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return error!(%error, "a thread for connections cannot work"),
    };
    runtime.block_on(async {
        let taking = async {
            while let Some(handed) = room.recv().await {
                match tokio::net::TcpStream::from_std(handed.stream) {
                    Ok(stream) => {
                        let accepted = Accepted {
                            stream,
                            peer: handed.peer,
                            seat: handed.seat,
                            permit: handed.permit,
                            tls: handed.tls,
                        };
                        tokio::spawn(accepted.serve(Arc::clone(service), Arc::clone(limits)));
                    }
                    Err(error) => warn!(%error, "cannot take a connection over"),
                }
            }
            // No more come; those that are here are served until the drain time is over.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = taking => {}
            // Also when the sender is gone.
            _ = ended.wait_for(|over| *over) => {}
        }
    });
    // Work that a handler left blocking must not hold the end up.
    runtime.shutdown_background();
}
