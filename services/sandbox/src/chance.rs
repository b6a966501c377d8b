//! Repeatable chance: the same seed and the same words always give the same number, on every machine
//! and in every version. Schedules, prices and seats are drawn here, so nothing of the world is stored.

/// A number drawn from `seed` and `words`, spread evenly over all of `u64`.
pub(crate) fn draw(seed: u64, words: &str) -> u64 {
    // FNV-1a gathers the words, SplitMix64's finaliser spreads them.
    let gathered = words
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    mix(gathered)
}

/// A number in `low..=high`, drawn from `seed` and `words`.
pub(crate) fn between(seed: u64, words: &str, low: u64, high: u64) -> u64 {
    low + draw(seed, words) % (high.saturating_sub(low) + 1)
}

/// One step of SplitMix64 (Steele, Lea, Flood, 2014): advances `state` and returns the next number.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mix(*state)
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `count` characters of 0-9A-Za-z drawn from `number`, the alphabet of Duffel's ids.
pub(crate) fn base62(mut number: u64, count: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits: Vec<char> = Vec::with_capacity(count);
    for _ in 0..count {
        let digit = usize::try_from(number % 62).unwrap_or(0);
        digits.push(ALPHABET.get(digit).copied().map_or('0', char::from));
        number /= 62;
    }
    digits.iter().rev().collect()
}

/// A booking reference (PNR) of six letters and digits, drawn from an order's id.
pub(crate) fn booking_reference(order_id: &str, attempt: u64) -> String {
    // No 0, 1, I or O: they are mistaken for each other when read aloud.
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut number = draw(attempt, order_id);
    (0..6)
        .map(|_| {
            let digit = usize::try_from(number % 32).unwrap_or(0);
            number /= 32;
            ALPHABET.get(digit).copied().map_or('A', char::from)
        })
        .collect()
}
