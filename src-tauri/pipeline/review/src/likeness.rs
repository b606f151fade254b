//! Which traces are nearly the same: minhash over triples of words.
//!
//! The share of equal places in two fingerprints estimates the Jaccard likeness of the sets they were made from
//! (A. Broder, "On the resemblance and containment of documents", 1997). To find alike pairs without comparing all, the
//! places are cut into bands: two traces that agree in a whole band are compared. With 16 bands of 4 places, two traces
//! that are 80 % alike are found with a probability of 1 - (1 - 0.8^4)^16 = 0.9998, two that are 50 % alike with 0.64.

use std::collections::HashMap;

use tw_artifact::{EditedMessage, Role};

/// Places of a fingerprint.
const PLACES: usize = 64;
/// Places of a band.
const BAND: usize = 4;
/// Words that are hashed together.
const WORDS: usize = 3;
/// Hashes that are remembered while a fingerprint is made.
const RECENT: u64 = 1 << 13;

/// The fingerprint of what the agent did and read: 64 little-endian u32. System prompts are left out, because they are
/// the same in traces that have nothing else in common. Numbers inside of words count, so that two pages with other
/// prices are not the same.
#[must_use]
pub fn fingerprint(messages: &[EditedMessage]) -> Vec<u8> {
    let mut lowest = Lowest::new();
    for message in messages.iter().filter(|message| message.message.role() != Role::System) {
        lowest.add_text(&message.message.text_ref());
        lowest.add_text(message.message.reasoning().unwrap_or_default());
        for call in message.message.calls() {
            lowest.add_text(&call.get("function").map(tw_artifact::Json::to_text).unwrap_or_default());
        }
    }
    lowest.places.iter().flat_map(|place| place.to_le_bytes()).collect()
}

/// The lowest hash of each place so far.
struct Lowest {
    places: [u32; PLACES],
    /// Hashes that were added lately, each in the slot that its lower bits name. What is added again changes nothing:
    /// pages that an agent reads are mostly those that it read before.
    recent: Vec<u64>,
}

impl Lowest {
    fn new() -> Self {
        // A number in a slot that is not its own stands for none.
        Self { places: [u32::MAX; PLACES], recent: (1..=RECENT).collect() }
    }

    fn add_text(&mut self, text: &str) {
        let mut window = [0_u64; WORDS];
        let mut seen = 0_usize;
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            window.rotate_left(1);
            window[WORDS - 1] = hash(word);
            seen += 1;
            if seen >= WORDS {
                self.add(mix(window));
            }
        }
        if seen > 0 && seen < WORDS {
            self.add(mix(window));
        }
    }

    fn add(&mut self, hash: u64) {
        let slot = usize::try_from(hash % RECENT).unwrap_or_default();
        if std::mem::replace(&mut self.recent[slot], hash) == hash {
            return;
        }
        // One hash gives all places: `a + place * b` with halves of it is as good as independent hashes here
        // (Kirsch and Mitzenmacher, 2006).
        let (mut value, step) = (hash, scramble(hash) | 1);
        for place in &mut self.places {
            value = value.wrapping_add(step);
            // The upper half: the lower bits of a sum are the weaker ones.
            let upper = u32::try_from(scramble(value) >> 32).unwrap_or(u32::MAX);
            *place = (*place).min(upper);
        }
    }
}

/// FNV-1a, 64 bit.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn mix(window: [u64; WORDS]) -> u64 {
    window.iter().fold(0, |all: u64, word| scramble(all.rotate_left(23) ^ word))
}

/// The finaliser of splitmix64.
const fn scramble(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// How alike two fingerprints are, 0 to 100; 0 where one is not of this form or of a trace without words.
#[must_use]
pub fn likeness_percent(a: &[u8], b: &[u8]) -> u8 {
    let is_usable = |bytes: &[u8]| bytes.len() == PLACES * 4 && bytes.iter().any(|byte| *byte != u8::MAX);
    if !is_usable(a) || !is_usable(b) {
        return 0;
    }
    let same = a.chunks_exact(4).zip(b.chunks_exact(4)).filter(|(a, b)| a == b).count();
    u8::try_from(same * 100 / PLACES).unwrap_or(100)
}

/// Groups of alike fingerprints, as their places in `fingerprints`: each is at least `percent` alike to another of its
/// group. The largest group first, in each the order is kept; with the least likeness that binds it.
#[must_use]
pub fn group_alike(fingerprints: &[Vec<u8>], percent: u8) -> Vec<(Vec<usize>, u8)> {
    let mut leader: Vec<usize> = (0..fingerprints.len()).collect();
    let mut weakest: HashMap<usize, u8> = HashMap::new();
    for band in 0..PLACES / BAND {
        let of_band = band * BAND * 4..(band + 1) * BAND * 4;
        let mut buckets: HashMap<&[u8], usize> = HashMap::new();
        for (place, print) in fingerprints.iter().enumerate() {
            let Some(key) = print.get(of_band.clone()) else { continue };
            let Some(&first) = buckets.get(key) else {
                buckets.insert(key, place);
                continue;
            };
            let (a, b) = (find(&mut leader, first), find(&mut leader, place));
            if a == b {
                continue;
            }
            let likeness = likeness_percent(&fingerprints[first], print);
            if likeness >= percent {
                let (low, high) = (a.min(b), a.max(b));
                leader[high] = low;
                let bound = [Some(likeness), weakest.get(&a).copied(), weakest.get(&b).copied()];
                weakest.insert(low, bound.into_iter().flatten().min().unwrap_or(likeness));
            } else {
                // The next of this bucket is compared with the newer one, which may be nearer.
                buckets.insert(key, place);
            }
        }
    }
    let mut groups: HashMap<usize, Vec<usize>> = HashMap::new();
    for place in 0..fingerprints.len() {
        let of = find(&mut leader, place);
        groups.entry(of).or_default().push(place);
    }
    let mut groups: Vec<(Vec<usize>, u8)> = groups
        .into_iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(of, places)| (places, weakest.get(&of).copied().unwrap_or(percent)))
        .collect();
    groups.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(&b.0)));
    groups
}

fn find(leader: &mut [usize], mut place: usize) -> usize {
    while leader[place] != place {
        leader[place] = leader[leader[place]];
        place = leader[place];
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use tw_artifact::Message;

    fn print_of(text: &str) -> Vec<u8> {
        fingerprint(&[EditedMessage::captured(0, Message::user(text), 0)])
    }

    fn words(from: u32, to: u32) -> String {
        (from..to).map(|n| format!("word{n} ")).collect()
    }

    #[test]
    fn the_estimate_is_near_the_true_likeness() {
        // 400 and 400 triples, 300 of them shared: 300 / 500 = 60 %.
        let percent = likeness_percent(&print_of(&words(0, 402)), &print_of(&words(100, 502)));
        assert!((45..=75).contains(&percent), "{percent}");
        assert_eq!(likeness_percent(&print_of("a b c d"), &print_of("a b c d")), 100);
        assert_eq!(likeness_percent(&print_of(""), &print_of("")), 0);
    }

    #[test]
    fn a_text_that_stands_there_again_changes_nothing() {
        let once = print_of(&words(0, 9_000));
        let messages: Vec<EditedMessage> =
            (0..3).map(|seq| EditedMessage::captured(seq, Message::user(words(0, 9_000)), 0)).collect();
        assert_eq!(fingerprint(&messages), once);
        // Kept in workspaces: a fingerprint made another way would be like no other.
        let sum = once.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        assert_eq!(sum, 6_714_570_410_777_268_336);
    }

    #[test]
    fn alike_traces_are_grouped_and_others_left_alone() {
        let prints: Vec<Vec<u8>> =
            [words(0, 500), words(1000, 1500), words(0, 505), words(3, 500), words(2000, 2400), words(1001, 1500)]
                .iter()
                .map(|text| print_of(text))
                .collect();
        let groups = group_alike(&prints, 80);
        let places: Vec<&Vec<usize>> = groups.iter().map(|(places, _)| places).collect();
        assert_eq!(places, [&vec![0, 2, 3], &vec![1, 5]]);
        assert!(groups.iter().all(|(_, percent)| *percent >= 80), "{groups:?}");
    }
}
