//! ListObjects and ListObjectsV2 as XML: pure, over the objects in memory.
//!
//! A continuation token is the place of the next object: nothing here ever changes, so a place stays right.

use std::fmt::Write as _;

use crate::objects::Objects;
use crate::request::Request;

/// S3's own most for a page.
const PAGE: usize = 1000;

/// The page of a listing that a request asks for.
pub(crate) fn page(objects: &Objects, request: &Request) -> String {
    let is_v2 = request.asked("list-type") == Some("2");
    let prefix = request.asked("prefix").unwrap_or_default();
    let delimiter = request.asked("delimiter");
    let max = request.asked("max-keys").and_then(|text| text.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let first = start(objects, request, prefix, delimiter);

    let (mut contents, mut folders) = (String::new(), String::new());
    let (mut count, mut at, mut last) = (0, first, String::new());
    while let Some(object) = objects.from(at).first() {
        if !object.key.starts_with(prefix) {
            break;
        }
        if count == max {
            return text(is_v2, request, max, &contents, &folders, count, Some((at, &last)));
        }
        let rest = &object.key[prefix.len()..];
        match delimiter.and_then(|delimiter| rest.find(delimiter).map(|end| end + delimiter.len())) {
            Some(end) => {
                last = object.key[..prefix.len() + end].to_owned();
                let _ = write!(folders, "<CommonPrefixes><Prefix>{last}</Prefix></CommonPrefixes>");
                at = objects.place_after_prefix(&last);
            }
            None => {
                contents.push_str(&object.xml);
                last.clone_from(&object.key);
                at += 1;
            }
        }
        count += 1;
    }
    text(is_v2, request, max, &contents, &folders, count, None)
}

/// The place of the first object of the page.
fn start(objects: &Objects, request: &Request, prefix: &str, delimiter: Option<&str>) -> usize {
    if let Some(place) = request.asked("continuation-token").and_then(|token| token.parse().ok()) {
        return place;
    }
    let after = request.asked("start-after").or(request.asked("marker"));
    let place = match after {
        // The marker of the first version may be a folder that the page before gave: it is not given twice.
        Some(after) if delimiter.is_some_and(|delimiter| after.ends_with(delimiter)) => {
            objects.place_after_prefix(after)
        }
        Some(after) => objects.place(&format!("{after}\0")),
        None => 0,
    };
    place.max(objects.place(prefix))
}

fn text(
    is_v2: bool,
    request: &Request,
    max: usize,
    contents: &str,
    folders: &str,
    count: usize,
    next: Option<(usize, &str)>,
) -> String {
    let mut xml = String::with_capacity(contents.len() + folders.len() + 512);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bench</Name>");
    let _ = write!(xml, "<Prefix>{}</Prefix>", request.asked("prefix").unwrap_or_default());
    if let Some(delimiter) = request.asked("delimiter") {
        let _ = write!(xml, "<Delimiter>{delimiter}</Delimiter>");
    }
    let _ = write!(xml, "<MaxKeys>{max}</MaxKeys><IsTruncated>{}</IsTruncated>", next.is_some());
    if is_v2 {
        let _ = write!(xml, "<KeyCount>{count}</KeyCount>");
    }
    match next {
        Some((place, _)) if is_v2 => {
            let _ = write!(xml, "<NextContinuationToken>{place}</NextContinuationToken>");
        }
        Some((_, last)) => {
            let _ = write!(xml, "<NextMarker>{last}</NextMarker>");
        }
        None => {}
    }
    xml.push_str(contents);
    xml.push_str(folders);
    xml.push_str("</ListBucketResult>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(objects: &Objects, query: &str) -> String {
        page(objects, &Request::parse(format!("GET /b?{query} HTTP/1.1").as_bytes()).expect("it is HTTP"))
    }

    fn between<'a>(xml: &'a str, open: &str, close: &str) -> Vec<&'a str> {
        xml.split(open).skip(1).filter_map(|part| part.split(close).next()).collect()
    }

    fn some() -> Objects {
        let keys = ["a/1", "a/2", "b/1", "c", "d/x/1"];
        Objects::new(keys.iter().map(|key| ((*key).to_owned(), Vec::new())).collect())
    }

    #[test]
    fn a_delimiter_gives_folders_and_the_keys_beside_them() {
        let xml = ask(&some(), "list-type=2&delimiter=/");
        assert_eq!(between(&xml, "<CommonPrefixes><Prefix>", "<"), ["a/", "b/", "d/"]);
        assert_eq!(between(&xml, "<Key>", "<"), ["c"]);
        assert_eq!(between(&ask(&some(), "prefix=a/"), "<Key>", "<"), ["a/1", "a/2"]);
    }

    #[test]
    fn pages_put_together_are_the_whole_listing() {
        let objects = some();
        for delimiter in ["", "/"] {
            let whole = ask(&objects, &format!("list-type=2&delimiter={delimiter}"));
            for (version, next, query) in
                [("2", "NextContinuationToken", "continuation-token"), ("1", "NextMarker", "marker")]
            {
                let (mut found, mut token) = (Vec::new(), String::new());
                loop {
                    let xml =
                        ask(&objects, &format!("list-type={version}&delimiter={delimiter}&max-keys=1&{query}={token}"));
                    found.extend(between(&xml, "<Key>", "<").iter().map(|key| (*key).to_owned()));
                    found.extend(between(&xml, "<CommonPrefixes><Prefix>", "<").iter().map(|key| (*key).to_owned()));
                    let Some(after) = between(&xml, &format!("<{next}>"), "<").first().map(|text| (*text).to_owned())
                    else {
                        break;
                    };
                    token = after;
                }
                let mut all: Vec<String> = between(&whole, "<Key>", "<").iter().map(|key| (*key).to_owned()).collect();
                all.extend(between(&whole, "<CommonPrefixes><Prefix>", "<").iter().map(|key| (*key).to_owned()));
                all.sort();
                assert_eq!(found, all, "version {version}, delimiter {delimiter:?}");
            }
        }
    }

    #[test]
    fn a_listing_may_start_after_a_key() {
        assert_eq!(between(&ask(&some(), "list-type=2&start-after=a/1"), "<Key>", "<"), ["a/2", "b/1", "c", "d/x/1"]);
    }
}
