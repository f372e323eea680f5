//! In which order members stand in objects, learned from the lines before: programs write the members of an object in one
//! order, nearly always. The name that is expected is compared whole, with its quotes and its colon, in a few instructions;
//! so it need be neither scanned for its end nor looked up.
//!
//! What is learned changes how fast a line is walked through, never what comes of it.

/// Words of a name that is expected; with its quotes and its colon it must fit in.
const WORDS: usize = 4;
const BYTES: usize = WORDS * 8;
/// Names that are kept of an object. One with more, such as a map from ids, is walked through without.
const MOST: usize = 96;
/// Members that may be missing before an expected one.
const PASSED_BY: usize = 3;
/// How far a name that came unexpected is looked for before it is taken for a new one.
const LOOKED_AT: usize = 16;
/// What a name that came unexpected costs, in names that were met: to compare in vain, and to look it up all the same.
const MISSED: i32 = 8;
/// Objects that are walked through without, at most, before the next try: v2 writes some in ever new orders.
const PAUSE: i32 = 256;
const MOST_TRUST: i32 = 256;

/// A name, with its quotes and its colon.
#[derive(Debug, Clone, Copy)]
struct Expected {
    name: [u64; WORDS],
    /// All bits of the bytes that count.
    mask: [u64; WORDS],
    length: u8,
    /// Which of the object's wanted members it is.
    member: Option<u8>,
}

impl Expected {
    fn new(name: &[u8], member: Option<u8>) -> Option<Expected> {
        let length = name.len() + 3;
        if length > BYTES {
            return None;
        }
        let (mut bytes, mut mask) = ([0; BYTES], [0; BYTES]);
        bytes[0] = b'"';
        bytes[1..=name.len()].copy_from_slice(name);
        bytes[length - 2] = b'"';
        bytes[length - 1] = b':';
        mask[..length].fill(0xff);
        Some(Expected { name: words(&bytes), mask: words(&mask), length: length as u8, member })
    }

    #[inline(always)]
    fn is_next(&self, bytes: &[u8; BYTES]) -> bool {
        let found = words(bytes);
        (0..WORDS).fold(0, |other, word| other | (found[word] ^ self.name[word]) & self.mask[word]) == 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    std::array::from_fn(|word| {
        u64::from_ne_bytes(*bytes[word * 8..].first_chunk().expect("there are as many bytes as the words have"))
    })
}

/// A name that was expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    /// Behind it in the order that was learned.
    pub(super) place: usize,
    /// Bytes of the name, its quotes and its colon.
    pub(super) length: usize,
    /// Which of the object's wanted members it is.
    pub(super) member: Option<u8>,
}

/// What has been learned, by the numbers of objects.
#[derive(Debug, Default)]
pub(super) struct Habits(Vec<Habit>);

/// The order of one object's members.
#[derive(Debug, Default)]
struct Habit {
    order: Vec<Expected>,
    /// Below 0 it does not pay at present; each object that is walked through without brings the next try nearer.
    trust: i32,
}

impl Habits {
    /// Makes room for objects with numbers below this.
    pub(super) fn reserve(&mut self, objects: usize) {
        if self.0.len() < objects {
            self.0.resize_with(objects, Habit::default);
        }
    }

    /// Whether members of the object that comes next should be expected at all.
    #[inline(always)]
    pub(super) fn begin(&mut self, object: usize) -> bool {
        let habit = &mut self.0[object];
        let pays = habit.trust >= 0;
        habit.trust += i32::from(!pays);
        pays
    }

    /// Judges by an object of which so many members were met, and so many came unexpected.
    #[inline(always)]
    pub(super) fn end(&mut self, object: usize, met: i32, missed: i32) {
        let habit = &mut self.0[object];
        habit.trust = (habit.trust + met - MISSED * missed).clamp(-PAUSE, MOST_TRUST);
    }

    /// The member at a place of the learned order, or one soon after it, if it comes next.
    #[inline(always)]
    pub(super) fn meet(&self, object: usize, place: usize, rest: &[u8]) -> Option<Met> {
        let bytes = rest.first_chunk()?;
        let expected = self.0[object].order.get(place..)?;
        for (passed_by, expected) in expected.iter().take(PASSED_BY + 1).enumerate() {
            if expected.is_next(bytes) {
                let place = place + passed_by + 1;
                return Some(Met { place, length: expected.length.into(), member: expected.member });
            }
        }
        None
    }

    /// Takes up a name, as it stands in the line, that was not met at this place; gives the place behind it.
    #[cold]
    pub(super) fn learn(&mut self, object: usize, place: usize, name: &[u8], member: Option<u8>) -> usize {
        let Some(new) = Expected::new(name, member) else { return place };
        let order = &mut self.0[object].order;
        let is_same = |known: &Expected| known.length == new.length && known.name == new.name;
        let ahead = order.iter().skip(place).take(LOOKED_AT).position(is_same);
        if let Some(ahead) = ahead {
            return place + ahead + 1;
        }
        if order.len() == MOST {
            return place;
        }
        let place = place.min(order.len());
        order.insert(place, new);
        place + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks through names as the reader of objects does; how many were met.
    fn walk(habits: &mut Habits, names: &[&str]) -> usize {
        let (mut place, mut met) = (0, 0);
        for name in names {
            let rest = format!("\"{name}\":1,{}", " ".repeat(BYTES));
            match habits.meet(0, place, rest.as_bytes()) {
                Some(found) => {
                    assert_eq!(found.length, name.len() + 3);
                    assert_eq!(found.member, Some(name.len() as u8));
                    (place, met) = (found.place, met + 1);
                }
                None => place = habits.learn(0, place, name.as_bytes(), Some(name.len() as u8)),
            }
        }
        met
    }

    #[test]
    fn what_stands_as_before_is_met_with_members_missing_or_added() {
        let mut habits = Habits::default();
        habits.reserve(1);
        assert_eq!(walk(&mut habits, &["id", "text", "user", "lang"]), 0);
        assert_eq!(walk(&mut habits, &["id", "text", "user", "lang"]), 4);
        assert_eq!(walk(&mut habits, &["id", "lang"]), 2);
        assert_eq!(walk(&mut habits, &["id", "text", "geo", "user", "lang"]), 4);
        assert_eq!(walk(&mut habits, &["id", "text", "geo", "user", "lang"]), 5);
        assert_eq!(walk(&mut habits, &["id", "text", "user", "lang"]), 4);
    }

    #[test]
    fn a_name_is_met_as_a_whole_and_not_by_its_beginning() {
        let mut habits = Habits::default();
        habits.reserve(1);
        let long = "n".repeat(BYTES - 3);
        walk(&mut habits, &["id", &long]);
        assert_eq!(walk(&mut habits, &["id", &long]), 2);
        assert_eq!(walk(&mut habits, &["id_str", &long[1..]]), 0);
        assert!(habits.meet(0, 0, b"\"id\":1").is_none(), "there are too few bytes to compare");
    }

    #[test]
    fn an_object_without_an_order_is_tried_now_and_then_and_one_with_an_order_always() {
        let mut habits = Habits::default();
        habits.reserve(1);
        for _ in 0..10 {
            assert!(habits.begin(0));
            habits.end(0, 20, 1);
        }
        let tried = (0..1000).filter(|_| {
            let pays = habits.begin(0);
            habits.end(0, 0, if pays { 20 } else { 0 });
            pays
        });
        assert!((5..20).contains(&tried.count()));
    }

    #[test]
    fn of_an_object_of_ever_new_names_no_more_than_some_are_kept() {
        let mut habits = Habits::default();
        habits.reserve(1);
        let names: Vec<String> = (0..1000).map(|n| format!("n{n}")).collect();
        walk(&mut habits, &names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(habits.0[0].order.len(), MOST);
        assert_eq!(walk(&mut habits, &["n0", "n1"]), 2);
    }
}
