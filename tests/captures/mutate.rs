//! Damage to captures.

use proptest::{collection, prelude::*, sample::Index};

/// One way to damage bytes.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// Other bits at one place.
    Flip(Index, u8),
    /// The end is cut off.
    Truncate(Index),
    /// A piece comes twice.
    Duplicate(Index, usize),
    /// A piece is missing.
    Remove(Index, usize),
    /// The length of a message says something else.
    Length(Index, u32),
    /// The type of a message is another.
    Tag(Index, u8),
    /// Two neighbouring messages change places.
    Swap(Index),
}

/// A few damages, in the order in which they are done.
pub(crate) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<Index>;
    let length = prop_oneof![
        Just(0_u32),
        Just(3),
        Just(4),
        Just(5),
        Just(10_004),
        Just(1 << 20),
        Just(i32::MAX.unsigned_abs()),
        Just(1 << 31),
        Just(u32::MAX),
        5..600_u32,
    ];
    let tag = prop_oneof![proptest::sample::select(b"123ABCDEGHIKNPQRSTXZcdfnpst".to_vec()), any::<u8>()];
    let one = prop_oneof![
        3 => (at(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => at().prop_map(Damage::Truncate),
        1 => (at(), 1..200_usize).prop_map(|(at, bytes)| Damage::Duplicate(at, bytes)),
        1 => (at(), 1..20_usize).prop_map(|(at, bytes)| Damage::Remove(at, bytes)),
        2 => (at(), length).prop_map(|(at, length)| Damage::Length(at, length)),
        2 => (at(), tag).prop_map(|(at, tag)| Damage::Tag(at, tag)),
        1 => at().prop_map(Damage::Swap),
    ];
    collection::vec(one, 1..5)
}

/// Does the damages to `bytes`, whose messages begin at `starts` (the last is the end).
pub(crate) fn damaged(bytes: &[u8], starts: &[usize], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let piece = |at: &Index, length: usize| {
            let from = at.index(bytes.len());
            from..bytes.len().min(from + length)
        };
        match damage {
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Duplicate(at, length) => {
                let piece = piece(at, *length);
                let twice = bytes[piece.clone()].to_vec();
                bytes.splice(piece.end..piece.end, twice);
            }
            Damage::Remove(at, length) => drop(bytes.drain(piece(at, *length))),
            Damage::Length(at, length) => {
                if let Some(place) = bytes.get_mut(*at.get(starts) + 1..).and_then(|rest| rest.get_mut(..4)) {
                    place.copy_from_slice(&length.to_be_bytes());
                }
            }
            Damage::Tag(at, tag) => {
                if let Some(place) = bytes.get_mut(*at.get(starts)) {
                    *place = *tag;
                }
            }
            Damage::Swap(at) => {
                let first = at.index(starts.len());
                if let Some([a, b, c]) = starts.get(first..first + 3)
                    && let Some(both) = bytes.get_mut(*a..*c)
                {
                    both.rotate_left(b - a);
                }
            }
        }
    }
    bytes
}
