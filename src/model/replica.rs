//! Which of the gateways on a store a session is at, as the number says that its client knows it by.
//!
//! PostgreSQL's clients know a session by a process identifier, MySQL's by a connection id. Both show it again, over
//! another connection, to stop what the session runs, and a balancer may lead that connection to another gateway.

use std::{fmt, num::NonZeroU16};

/// The number of a gateway among those on its store, 1 to [`Replica::MOST`]; no two have the same at one time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica(NonZeroU16);

impl Replica {
    /// The highest.
    pub const MOST: u16 = (1 << REPLICA_BITS) - 1;

    /// Takes a number; `None` if it is out of bounds.
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).filter(|number| number.get() <= Self::MOST).map(Self)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The number of the `count`th session at a gateway, without end: it is above zero, and begins anew after [`COUNTS`].
///
/// A gateway without a number of its own gives numbers that lead to no other.
pub fn session_number(replica: Option<Replica>, count: u32) -> i32 {
    let count = count % COUNTS + 1;
    let replica = replica.map_or(0, |replica| u32::from(replica.number()));
    // 30 bits.
    i32::try_from((replica << COUNT_BITS) | count).unwrap_or(i32::MAX)
}

/// Which gateway gave the number; `None` for those that lead to no other.
pub fn replica_of(session_number: i32) -> Option<Replica> {
    let replica = u32::try_from(session_number).ok()? >> COUNT_BITS;
    Replica::new(u16::try_from(replica).ok()?)
}

const REPLICA_BITS: u32 = 10;
const COUNT_BITS: u32 = 20;
/// Numbers that one gateway has to give.
pub const COUNTS: u32 = (1 << COUNT_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_to_the_gateway_that_gave_it() {
        for number in [1, 2, 512, Replica::MOST] {
            let replica = Replica::new(number).unwrap();
            for count in [0, 1, COUNTS - 1, COUNTS, u32::MAX] {
                let given = session_number(Some(replica), count);
                assert!(given > 0, "{given}");
                assert_eq!(replica_of(given), Some(replica), "{given}");
            }
        }
        assert_eq!(Replica::new(0), None);
        assert_eq!(Replica::new(Replica::MOST + 1), None);
    }

    #[test]
    fn a_gateway_without_a_number_gives_numbers_that_lead_to_no_other() {
        for count in [0, 1, COUNTS - 1, COUNTS, u32::MAX] {
            let given = session_number(None, count);
            assert!(given > 0, "{given}");
            assert_eq!(replica_of(given), None, "{given}");
        }
        for foreign in [0, -1, i32::MIN, i32::MAX] {
            assert_eq!(replica_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn two_gateways_never_give_the_same_number_and_one_gives_each_once_in_a_round() {
        let [first, second] = [1, 2].map(Replica::new);
        let given = |replica, count| session_number(replica, count);
        assert_eq!(given(first, 0), given(first, COUNTS));
        assert_ne!(given(first, 0), given(first, COUNTS - 1));
        assert!((0..100).all(|count| given(first, count) != given(second, count)));
    }
}
