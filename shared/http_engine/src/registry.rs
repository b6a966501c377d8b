//! Who is connected: how many in all and from where, and how to ask everybody to leave.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// All connections of a listener.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    seats: Mutex<Seats>,
    leaving: AtomicBool,
    open: AtomicUsize,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<AtomicWaker>>,
    by_address: HashMap<IpAddr, usize>,
}

impl Registry {
    /// Counts a connection in, unless its address has so many already.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, most_of_address: usize) -> Option<Seat> {
        let counted = counted(address);
        let waker = Arc::new(AtomicWaker::new());
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = counted {
            let count = seats.by_address.entry(address).or_default();
            if *count >= most_of_address {
                return None;
            }
            *count += 1;
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Arc::clone(&waker));
        self.open.store(seats.taken.len(), Ordering::Relaxed);
        drop(seats);
        Some(Seat {
            registry: Arc::clone(self),
            number,
            counted,
            waker,
        })
    }

    /// Asks everybody to leave: those without a request at once, the others with their answer.
    pub(crate) fn ask_to_leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        for waker in seats.taken.values() {
            waker.wake();
        }
    }

    /// Waits until everybody has left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.empty.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// The address that a connection counts for; `None` for loopback, where a person works or a proxy of
/// the same machine stands.
fn counted(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    Some(match address {
        IpAddr::V4(_) => address,
        // One household or server has a whole /64.
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    })
}

/// One connection's place; counted out when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    registry: Arc<Registry>,
    number: u64,
    counted: Option<IpAddr>,
    waker: Arc<AtomicWaker>,
}

impl Seat {
    /// Whether the connection should end; its task is woken when that becomes so.
    pub(crate) fn is_leaving(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.must_leave()
    }

    /// Whether the connection should end after this answer.
    pub(crate) fn must_leave(&self) -> bool {
        self.registry.leaving.load(Ordering::SeqCst)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let registry = &self.registry;
        let mut seats = registry
            .seats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seats.taken.remove(&self.number);
        if let Some(address) = self.counted
            && let Some(count) = seats.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                seats.by_address.remove(&address);
            }
        }
        registry.open.store(seats.taken.len(), Ordering::SeqCst);
        if seats.taken.is_empty() {
            registry.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_share_of_the_seats_and_gets_it_back() {
        let registry = Arc::new(Registry::default());
        let enter = |address: &str| registry.enter(address.parse().unwrap(), 2);
        let seats = [
            enter("192.0.2.1").unwrap(),
            enter("::ffff:192.0.2.1").unwrap(),
        ];
        assert!(enter("192.0.2.1").is_none());
        let six = [enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap()];
        assert!(enter("2001:db8::ffff").is_none());
        let _local = [(); 3].map(|()| enter("127.0.0.1").unwrap());
        drop((seats, six));
        assert!(enter("192.0.2.1").is_some());
    }
}
