//! What to keep of a line: a tree of wanted member names, frozen into small tables that the walk looks names up in.
//!
//! A *record* is an object (the line, or an element of an array) with all wanted values in it, however deep, as a row of
//! slots: slot 0 links to the next element of the same array, slot 1 is the record's own value, the others are given to
//! paths in the order in which they are asked for. Built once a projection; nothing here sees a byte of a line.

/// The slot of a record's own value.
pub(super) const OWN: u16 = 1;
const FIRST: u16 = 2;

/// A record while its paths are collected.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    members: Vec<DraftMember>,
    slots: u16,
}

#[derive(Debug, Clone)]
struct DraftMember {
    name: String,
    slot: u16,
    members: Vec<DraftMember>,
    list: Option<(u16, Draft)>,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft { members: Vec::new(), slots: FIRST }
    }
}

impl Draft {
    /// The slot of the value at a path of member names with dots between them; the empty path is the record itself.
    pub(super) fn value(&mut self, path: &str) -> u16 {
        if path.is_empty() { OWN } else { self.member(path).slot }
    }

    /// The slot that leads to the first element of the array at `path`, and the record of its elements.
    pub(super) fn list(&mut self, path: &str) -> (u16, &mut Draft) {
        self.member(path);
        let head = self.slots;
        if self.member(path).list.is_none() {
            self.member(path).list = Some((head, Draft::default()));
            self.slots += 1;
        }
        let (head, elements) = self.member(path).list.as_mut().expect("it was just put there");
        (*head, elements)
    }

    /// Makes `elements` the record of the elements of the array at `path`, and gives the slot that leads to the first.
    pub(super) fn attach(&mut self, path: &str, elements: &Draft) -> u16 {
        let (head, place) = self.list(path);
        *place = elements.clone();
        head
    }

    fn member(&mut self, path: &str) -> &mut DraftMember {
        let (mut members, slots) = (&mut self.members, &mut self.slots);
        let mut names = path.split('.').peekable();
        loop {
            let name = names.next().expect("a path has a name");
            let index = members.iter().position(|member| member.name == name).unwrap_or_else(|| {
                members.push(DraftMember { name: name.to_owned(), slot: *slots, members: Vec::new(), list: None });
                *slots += 1;
                members.len() - 1
            });
            if names.peek().is_none() {
                return &mut members[index];
            }
            members = &mut members[index].members;
        }
    }

    pub(super) fn freeze(&self) -> Shape {
        let mut objects = 0;
        Shape { record: self.numbered(&mut objects), objects }
    }

    fn numbered(&self, objects: &mut usize) -> Record {
        Record { object: Object::new(&self.members, objects), slots: self.slots }
    }
}

/// All that is wanted of a line, ready for the walk.
#[derive(Debug)]
pub(super) struct Shape {
    /// The line's own record.
    pub(super) record: Record,
    /// How many objects there are, numbered from 0.
    pub(super) objects: usize,
}

/// A record, ready for the walk.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) object: Object,
    pub(super) slots: u16,
}

/// The wanted members of an object.
#[derive(Debug)]
pub(super) struct Object {
    /// Its own, among those of a shape.
    pub(super) number: usize,
    pub(super) members: Box<[Member]>,
    /// For each hash of a name one more than the index of the first member that may be meant, 0 where there is none.
    first: Box<[u8]>,
    factor: u32,
    shift: u32,
}

/// A wanted member.
#[derive(Debug)]
pub(super) struct Member {
    name: Box<[u8]>,
    /// One more than the index of the next member of the same hash, or 0.
    next: u8,
    /// Where its value goes.
    pub(super) slot: u16,
    pub(super) inside: Inside,
}

/// What is wanted in a member.
#[derive(Debug)]
pub(super) enum Inside {
    /// Nothing but the value itself.
    Nothing,
    /// Members of the object that it should be; with the slots of all of them, however deep.
    Object(Object, Box<[u16]>),
    /// The elements of the array that it should be; the slot leads to the first one.
    List(u16, Record),
}

impl Object {
    fn new(drafts: &[DraftMember], objects: &mut usize) -> Object {
        let number = *objects;
        *objects += 1;
        assert!(drafts.len() < usize::from(u8::MAX), "a table's index is a byte");
        let names: Vec<u32> = drafts.iter().map(|draft| digest(draft.name.as_bytes())).collect();
        let bits = (drafts.len() * 4).next_power_of_two().trailing_zeros().max(2);
        let shift = u32::BITS - bits;
        // A factor under which no two names share a place: there is soon one. Without one, names share and are chained.
        let is_apart = |factor: &u32| {
            let mut places: Vec<u32> = names.iter().map(|name| name.wrapping_mul(*factor) >> shift).collect();
            places.sort_unstable();
            places.windows(2).all(|pair| pair[0] != pair[1])
        };
        const GOLDEN: u32 = 0x9e37_79b1;
        let factor = (1..1000u32).map(|n| n.wrapping_mul(GOLDEN) | 1).find(is_apart).unwrap_or(GOLDEN);
        let mut first = vec![0; 1 << bits].into_boxed_slice();
        let mut members = Vec::with_capacity(drafts.len());
        for (draft, name) in drafts.iter().zip(names) {
            let place = &mut first[(name.wrapping_mul(factor) >> shift) as usize];
            members.push(Member {
                name: draft.name.as_bytes().into(),
                next: *place,
                slot: draft.slot,
                inside: draft.freeze(objects),
            });
            *place = members.len() as u8;
        }
        Object { number, members: members.into(), first, factor, shift }
    }

    /// The index of the wanted member of that name.
    #[inline(always)]
    pub(super) fn find(&self, name: &[u8]) -> Option<u8> {
        if name.is_empty() {
            return None;
        }
        let mut index = self.first[(digest(name).wrapping_mul(self.factor) >> self.shift) as usize];
        while index > 0 {
            let member = &self.members[usize::from(index) - 1];
            if is_same(&member.name, name) {
                return Some(index - 1);
            }
            index = member.next;
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn all_slots(&self, slots: &mut Vec<u16>) {
        for member in &self.members {
            slots.push(member.slot);
            match &member.inside {
                Inside::Nothing => {}
                Inside::Object(object, _) => object.all_slots(slots),
                Inside::List(head, _) => slots.push(*head),
            }
        }
    }

    /// The slots of all members, however deep.
    pub(super) fn slots(&self) -> Box<[u16]> {
        let mut slots = Vec::new();
        self.all_slots(&mut slots);
        slots.into()
    }
}

impl DraftMember {
    fn freeze(&self, objects: &mut usize) -> Inside {
        match &self.list {
            Some((head, elements)) => Inside::List(*head, elements.numbered(objects)),
            None if self.members.is_empty() => Inside::Nothing,
            None => {
                let object = Object::new(&self.members, objects);
                let slots = object.slots();
                Inside::Object(object, slots)
            }
        }
    }
}

/// Enough of a name to tell the wanted ones of an object apart: its length, its first, middle and last byte.
#[inline(always)]
fn digest(name: &[u8]) -> u32 {
    let byte = |index: usize| u32::from(name[index]);
    byte(0) | byte(name.len() / 2) << 8 | byte(name.len() - 1) << 16 | (name.len() as u32) << 24
}

/// Whether two names are equal. Names are short, so that comparing them in place is faster than a call.
#[inline(always)]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some((first, rest)), Some((other, _))) = (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
        // Whole words, the last one up to the end: it may overlap the one before.
        let words = rest.chunks_exact(8).zip(b[8..].chunks_exact(8)).all(|(a, b)| a == b);
        return first == other && words && a.last_chunk::<8>() == b.last_chunk::<8>();
    }
    a.iter().zip(b).all(|(a, b)| a == b)
}
