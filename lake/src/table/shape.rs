//! Which values to locate in a line: a tree of member names, built into small hash tables for the parser.
//!
//! A *record* is an object (the line, or an element of an array) with all selected values in it, at any depth, as a row
//! of slots. Slot 0 links to the next element of the same array, slot 1 is the record's own value, the others belong to
//! paths in the order in which they were requested. Built once per projection.

/// The slot of a record's own value.
pub(super) const OWN: u16 = 1;
const FIRST: u16 = 2;

/// Collects the paths of a record.
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
    /// The slot of the value at a path, such as `user.id`; the empty path is the record itself.
    pub(super) fn value(&mut self, path: &str) -> u16 {
        if path.is_empty() { OWN } else { self.member(path).slot }
    }

    /// The slot that links to the first element of the array at `path`, and the record of its elements.
    pub(super) fn list(&mut self, path: &str) -> (u16, &mut Draft) {
        self.member(path);
        let head = self.slots;
        if self.member(path).list.is_none() {
            self.member(path).list = Some((head, Draft::default()));
            self.slots += 1;
        }
        let (head, elements) = self.member(path).list.as_mut().expect("it was just added");
        (*head, elements)
    }

    /// Replaces the record of the elements of the array at `path`; returns the slot that links to the first one.
    pub(super) fn attach(&mut self, path: &str, elements: &Draft) -> u16 {
        let (head, record) = self.list(path);
        *record = elements.clone();
        head
    }

    fn member(&mut self, path: &str) -> &mut DraftMember {
        let (mut members, slots) = (&mut self.members, &mut self.slots);
        let mut names = path.split('.').peekable();
        loop {
            let name = names.next().expect("split gives at least one name");
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

    pub(super) fn build(&self) -> Shape {
        let mut objects = 0;
        Shape { record: self.numbered(&mut objects), objects }
    }

    fn numbered(&self, objects: &mut usize) -> Record {
        Record { object: Object::new(&self.members, objects), slots: self.slots }
    }
}

/// The values to locate in a line.
#[derive(Debug)]
pub(super) struct Shape {
    /// The line's own record.
    pub(super) record: Record,
    /// How many objects it contains, numbered from 0.
    pub(super) objects: usize,
}

/// A record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) object: Object,
    pub(super) slots: u16,
}

/// The selected members of an object, in a hash table.
#[derive(Debug)]
pub(super) struct Object {
    /// Its number in the shape.
    pub(super) number: usize,
    pub(super) members: Box<[Member]>,
    /// For each hash one more than the index of the first candidate, 0 where there is none.
    first: Box<[u8]>,
    factor: u32,
    shift: u32,
}

/// A selected member.
#[derive(Debug)]
pub(super) struct Member {
    name: Box<[u8]>,
    /// One more than the index of the next member with the same hash, or 0.
    next: u8,
    /// The slot of its value.
    pub(super) slot: u16,
    pub(super) kind: MemberKind,
}

/// What is selected inside a member.
#[derive(Debug)]
pub(super) enum MemberKind {
    /// Only the value itself.
    Value,
    /// Members, where the value is an object; with the slots of all of them, at any depth.
    Object(Object, Box<[u16]>),
    /// Elements, where the value is an array; the slot links to the first one.
    List(u16, Record),
}

impl Object {
    fn new(drafts: &[DraftMember], objects: &mut usize) -> Object {
        let number = *objects;
        *objects += 1;
        assert!(drafts.len() < usize::from(u8::MAX), "an index is a byte");
        let names: Vec<u32> = drafts.iter().map(|draft| digest(draft.name.as_bytes())).collect();
        let bits = (drafts.len() * 4).next_power_of_two().trailing_zeros().max(2);
        let shift = u32::BITS - bits;
        // Look for a factor without collisions; one is soon found. Otherwise colliding names are chained.
        let is_apart = |factor: &u32| {
            let mut buckets: Vec<u32> = names.iter().map(|name| name.wrapping_mul(*factor) >> shift).collect();
            buckets.sort_unstable();
            buckets.windows(2).all(|pair| pair[0] != pair[1])
        };
        const GOLDEN: u32 = 0x9e37_79b1;
        let factor = (1..1000u32).map(|n| n.wrapping_mul(GOLDEN) | 1).find(is_apart).unwrap_or(GOLDEN);
        let mut first = vec![0; 1 << bits].into_boxed_slice();
        let mut members = Vec::with_capacity(drafts.len());
        for (draft, name) in drafts.iter().zip(names) {
            let bucket = &mut first[(name.wrapping_mul(factor) >> shift) as usize];
            members.push(Member {
                name: draft.name.as_bytes().into(),
                next: *bucket,
                slot: draft.slot,
                kind: draft.build(objects),
            });
            *bucket = members.len() as u8;
        }
        Object { number, members: members.into(), first, factor, shift }
    }

    /// The index of the selected member of that name.
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
            match &member.kind {
                MemberKind::Value => {}
                MemberKind::Object(object, _) => object.all_slots(slots),
                MemberKind::List(head, _) => slots.push(*head),
            }
        }
    }

    /// The slots of all members, at any depth.
    pub(super) fn slots(&self) -> Box<[u16]> {
        let mut slots = Vec::new();
        self.all_slots(&mut slots);
        slots.into()
    }
}

impl DraftMember {
    fn build(&self, objects: &mut usize) -> MemberKind {
        match &self.list {
            Some((head, elements)) => MemberKind::List(*head, elements.numbered(objects)),
            None if self.members.is_empty() => MemberKind::Value,
            None => {
                let object = Object::new(&self.members, objects);
                let slots = object.slots();
                MemberKind::Object(object, slots)
            }
        }
    }
}

/// A hash that distinguishes the names of an object: length, first, middle and last byte.
#[inline(always)]
fn digest(name: &[u8]) -> u32 {
    let byte = |index: usize| u32::from(name[index]);
    byte(0) | byte(name.len() / 2) << 8 | byte(name.len() - 1) << 16 | (name.len() as u32) << 24
}

/// Compares two names. Names are short, so comparing them inline is faster than calling `memcmp`.
#[inline(always)]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some((first, rest)), Some((other, _))) = (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
        // In words; the last one may overlap the one before.
        let words = rest.chunks_exact(8).zip(b[8..].chunks_exact(8)).all(|(a, b)| a == b);
        return first == other && words && a.last_chunk::<8>() == b.last_chunk::<8>();
    }
    a.iter().zip(b).all(|(a, b)| a == b)
}
