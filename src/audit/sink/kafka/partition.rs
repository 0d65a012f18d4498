//! Which partition a key belongs to.

/// The partition of `key` among `count`, as Kafka's own clients in Java choose it.
///
/// Source: Apache Kafka, `BuiltInPartitioner` and `Utils.murmur2`.
pub(super) fn partition_of(key: &str, count: usize) -> Option<usize> {
    let positive = usize::try_from(murmur2(key.as_bytes()) & 0x7fff_ffff).ok()?;
    positive.checked_rem(count)
}

/// `MurmurHash2`, 32 bits, with Kafka's seed.
fn murmur2(bytes: &[u8]) -> u32 {
    let mix = |word: u32| {
        let word = word.wrapping_mul(M);
        (word ^ (word >> R)).wrapping_mul(M)
    };
    let (words, tail) = bytes.as_chunks::<4>();
    let mut hash = words
        .iter()
        .fold(SEED ^ bytes.len() as u32, |hash, word| hash.wrapping_mul(M) ^ mix(u32::from_le_bytes(*word)));
    if !tail.is_empty() {
        let word = tail.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ word).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: Apache Kafka, `UtilsTest.testMurmur2`.
    #[test]
    fn keys_have_the_hash_that_kafka_gives_them() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(partition_of("one", 0), None);
        assert!((1..40).all(|count| partition_of("gate-1", count).unwrap() < count));
    }
}
