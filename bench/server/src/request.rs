//! What a request asks for: pure, from the bytes of its head.
//!
//! Knows path-style addresses only (`/bucket/key`), and of the header fields only those that change an answer.

/// The head of one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// GET, HEAD, …
    pub(crate) method: String,
    /// What stands after the bucket; empty for the bucket itself.
    pub(crate) key: String,
    /// The query's pairs, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// The bytes asked for.
    pub(crate) range: Option<Range>,
    /// The client wants the connection closed after the answer.
    pub(crate) is_last: bool,
    /// The request has a body, which this server does not read.
    pub(crate) has_body: bool,
}

/// A range of bytes as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// From a byte to a byte, both included.
    Between(usize, usize),
    /// From a byte to the end.
    From(usize),
    /// So many bytes at the end.
    Last(usize),
}

impl Range {
    /// The bytes of an object of this length, end not included; none where there are none.
    pub(crate) fn within(self, length: usize) -> Option<std::ops::Range<usize>> {
        let range = match self {
            Range::Between(first, last) => first..last.saturating_add(1).min(length),
            Range::From(first) => first..length,
            Range::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

impl Request {
    /// Reads a head; nothing where it is no HTTP.
    pub(crate) fn parse(head: &[u8]) -> Option<Request> {
        let text = std::str::from_utf8(head).ok()?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let inner = path.strip_prefix('/')?;
        let key = inner.split_once('/').map_or("", |(_bucket, key)| key);
        let mut request = Request {
            method: method.to_owned(),
            key: decode(key),
            query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
            range: None,
            is_last: false,
            has_body: false,
        };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case("range") {
                request.range = range(value);
            } else if name.eq_ignore_ascii_case("connection") {
                request.is_last = value.eq_ignore_ascii_case("close");
            } else if name.eq_ignore_ascii_case("content-length") {
                request.has_body |= value != "0";
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                request.has_body = true;
            }
        }
        Some(request)
    }

    /// A value of the query; empty values count as absent.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (decode(key), decode(&value.replace('+', " ")))
}

fn range(value: &str) -> Option<Range> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some(match (first.parse().ok(), last.parse().ok()) {
        (Some(first), Some(last)) => Range::Between(first, last),
        (Some(first), None) => Range::From(first),
        (None, Some(last)) => Range::Last(last),
        (None, None) => return None,
    })
}

/// Takes `%XX` back; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_key_its_query_and_its_range() {
        let head = b"GET /bucket/day/10-31-00/tweets.1%2Bx.json?list-type=2&prefix=a%2Fb&delimiter= HTTP/1.1\r\nRange: bytes=5-9\r\n";
        let request = Request::parse(head).expect("it is HTTP");
        assert_eq!((request.method.as_str(), request.key.as_str()), ("GET", "day/10-31-00/tweets.1+x.json"));
        assert_eq!((request.asked("prefix"), request.asked("delimiter")), (Some("a/b"), None));
        assert_eq!(request.range, Some(Range::Between(5, 9)));
        assert_eq!(Request::parse(b"GET /bucket HTTP/1.1").map(|request| request.key), Some(String::new()));
        assert_eq!(Request::parse(b"nothing"), None);
    }

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
        assert_eq!(Range::Between(2, 99).within(10), Some(2..10));
        assert_eq!(Range::From(10).within(10), None);
        assert_eq!(Range::Last(4).within(10), Some(6..10));
    }
}
