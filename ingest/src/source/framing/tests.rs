//! Framing held against plain splitting: whatever the chunks, and wherever blocks are taken, the same lines come out with
//! the same numbers, lengths and offsets.

use proptest::prelude::*;

use super::*;

/// All that comes out, with the lines copied so that blocks can be compared whatever their borders are.
#[derive(Debug, Default, PartialEq)]
struct Frames {
    lines: Vec<Frame>,
    heartbeats: u64,
    offset: u64,
}

#[derive(Debug, PartialEq)]
struct Frame {
    number: u64,
    kept: Vec<u8>,
    length: u64,
    state: LineState,
}

impl Frames {
    fn add(&mut self, block: Block) {
        assert!(block.offset >= self.offset);
        self.offset = block.offset;
        self.heartbeats += block.heartbeats;
        self.lines.extend(block.lines.iter().map(|line| Frame {
            number: line.number,
            kept: block.line(line).to_vec(),
            length: line.length,
            state: line.state,
        }));
    }

    fn of_state(&self, state: LineState) -> Vec<&[u8]> {
        self.lines.iter().filter(|line| line.state == state).map(|line| &line.kept[..]).collect()
    }
}

/// Pushes chunks; a block is taken after each one for which `take` says so, and at the end.
fn frames<'a>(chunks: impl Iterator<Item = &'a [u8]>, max: usize, mut take: impl FnMut() -> bool) -> Frames {
    let mut framer = Framer::new(max);
    let mut frames = Frames::default();
    for chunk in chunks {
        framer.push(chunk);
        if take() {
            framer.take_block().into_iter().for_each(|block| frames.add(block));
            assert_eq!(framer.take_block(), None);
        }
    }
    frames.add(framer.finish());
    frames
}

/// The same by splitting the whole.
fn plainly(bytes: &[u8], max: usize) -> Frames {
    let mut frames = Frames::default();
    let pieces: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
    for (at, piece) in pieces.iter().enumerate() {
        let is_tail = at + 1 == pieces.len();
        let zeros = piece.iter().take_while(|byte| **byte == 0).count();
        let mut piece = *piece;
        if (1..piece.len()).contains(&zeros) {
            let (kept, state) = match zeros > max {
                true => (zeros.min(KEPT_BYTES), LineState::TooLong),
                false => (zeros, LineState::Whole),
            };
            frames.lines.push(Frame { number: at as u64 + 1, kept: vec![0; kept], length: zeros as u64, state });
            piece = &piece[zeros..];
        }
        let line = piece.strip_suffix(b"\r").unwrap_or(piece);
        let state = match line.len() > max {
            true => LineState::TooLong,
            false if is_tail => LineState::Unended,
            false => LineState::Whole,
        };
        if line.len() <= max && line.trim_ascii().is_empty() {
            frames.heartbeats += u64::from(!is_tail);
        } else {
            let most = if state == LineState::TooLong { KEPT_BYTES } else { max };
            let kept = line[..line.len().min(most)].to_vec();
            frames.lines.push(Frame { number: at as u64 + 1, kept, length: line.len() as u64, state });
        }
    }
    frames.offset = bytes.len() as u64;
    frames
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\r\n",
        "\r",
        " ",
        "{}",
        "\u{1f600}",
        "{\"text\":\"caf\u{e9}\"}",
        "\0",
        "\u{2028}",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_chunking_gives_the_lines_of_the_whole(
        wire in wire(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20), max in 0usize..40,
        takes in prop::collection::vec(any::<bool>(), 1..10),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]);
        let mut takes = takes.into_iter().cycle();
        prop_assert_eq!(frames(chunks, max, || takes.next() == Some(true)), plainly(&wire, max));
        prop_assert_eq!(frames(wire.chunks(1), max, || true), plainly(&wire, max));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn of_lines_around_what_is_kept_no_byte_is_lost_or_counted_twice(
        lines in prop::collection::vec((around_kept(), any::<bool>()), 0..6), max in around_kept(),
        chunk in prop::sample::select(vec![1000, KEPT_BYTES, KEPT_BYTES + 1, 3 * KEPT_BYTES, 10 * KEPT_BYTES]),
    ) {
        let mut wire = Vec::new();
        for (length, crlf) in lines {
            wire.resize(wire.len() + length, b'x');
            wire.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
        for unended in [0, 1, 2, KEPT_BYTES] {
            let wire = &wire[..wire.len().saturating_sub(unended)];
            prop_assert!(frames(wire.chunks(chunk), max, || true) == plainly(wire, max));
        }
    }
}

fn around_kept() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![0, 1, KEPT_BYTES - 1, KEPT_BYTES, KEPT_BYTES + 1, 2 * KEPT_BYTES, 3 * KEPT_BYTES])
}

#[test]
fn numbers_and_offsets_go_on_after_what_was_stepped_over() {
    let mut framer = Framer::new(100);
    framer.step_over(b"{}\r\n\n");
    framer.push(b"\n[1]\n ");
    let block = framer.take_block().expect("a line");
    assert_eq!((block.lines[0].number, block.offset), (4, 10));
    assert_eq!(framer.finish().offset, 11);
}

#[test]
fn zeros_before_a_line_are_a_line_of_their_own_however_many_they_are() {
    for zeros in [1, 50, 101, 102, 100_000, 300_000] {
        let wire = [&vec![0; zeros][..], b"{\"a\":1}\n{\"b\":2}\n"].concat();
        for chunk in [7, 64 << 10, 1 << 20] {
            let found = frames(wire.chunks(chunk), 100, || true);
            let lines: Vec<_> = found.lines.iter().map(|line| (line.number, line.length, line.kept.len())).collect();
            assert_eq!(lines, [(1, zeros as u64, zeros.min(KEPT_BYTES)), (1, 7, 7), (2, 7, 7)], "in chunks of {chunk}");
            assert_eq!(found.offset, wire.len() as u64);
        }
    }
}

#[test]
fn a_line_end_split_between_chunks_and_bare_newlines_are_line_ends() {
    let chunks = [&b"{\"a\":1}\r"[..], b"\n{\"b\":\xf0\x9f", b"\x98\x80}\n\r", b"\n"];
    let found = frames(chunks.into_iter(), 100, || true);
    assert_eq!(found.of_state(LineState::Whole), [&b"{\"a\":1}"[..], "{\"b\":\u{1f600}}".as_bytes()]);
    assert_eq!((found.lines.len(), found.heartbeats), (2, 1));
}

#[test]
fn a_line_of_exactly_the_limit_is_a_line() {
    for chunk in 1..8 {
        let found = frames(b"12345\r\n12345\n123456\r\n123456\n12345".chunks(chunk), 5, || true);
        assert_eq!(found.of_state(LineState::Whole), [b"12345", b"12345"]);
        assert_eq!(found.of_state(LineState::TooLong), [b"123456", b"123456"]);
        assert_eq!(found.of_state(LineState::Unended), [b"12345"]);
    }
}

#[test]
fn a_line_without_end_is_cut_and_takes_no_memory() {
    let mut framer = Framer::new(1 << 20);
    framer.push(b"{\"a\":1}\r\n");
    for _ in 0..1000 {
        framer.push(&[b'x'; 16 * 1024]);
        assert!(framer.buffer.len() < 2 << 20);
    }
    framer.push(b"\r");
    framer.push(b"\n{\"b\":1}\r\n");
    let block = framer.take_block().expect("lines");
    let [a, x, b] = &block.lines[..] else { panic!("{:?}", block.lines) };
    assert_eq!((block.line(a), block.line(b)), (&b"{\"a\":1}"[..], &b"{\"b\":1}"[..]));
    assert_eq!((block.line(x).len(), x.length, x.state), (KEPT_BYTES, 16 * 1024 * 1000, LineState::TooLong));
    assert_eq!(block.offset, 9 + 16 * 1024 * 1000 + 2 + 9);
    assert_eq!(framer.finish(), Block { offset: block.offset, ..Block::default() });
}

#[test]
fn an_unended_line_that_is_too_long_says_so() {
    let found = frames([&[b'x'; 100_000][..], &[b'y'; 100_000]].into_iter(), 1000, || true);
    let [line] = &found.lines[..] else { panic!("{:?}", found.lines) };
    assert_eq!((line.kept.len(), line.length, line.state), (KEPT_BYTES, 200_000, LineState::TooLong));
    assert_eq!(found.offset, 200_000);
}
