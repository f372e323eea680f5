//! Splits a page of v2 results into lines: one line a tweet, in the format of the stream, each with the includes that
//! it refers to.
//!
//! Search, timelines and lookups answer in pages: `data` is a list, and `includes` belongs to all of its tweets
//! together. A line of the stream is `{"data":{…},"includes":{…}}` for one tweet. Every tweet and every included object
//! is copied byte for byte. `meta`, `errors` and `__twarc` describe the request and are dropped.
//!
//! Pure: no I/O. The caller holds the whole page in memory, because `includes` usually follows `data`.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;

use super::cursor::{JsonCursor, Parsed, Value};

/// A page of results.
#[derive(Debug)]
pub struct Page {
    value: Vec<u8>,
    /// Whether these are v2 tweets, to be combined with their includes, or whole statuses of a v1.1 search.
    is_v2: bool,
    tweets: Vec<Range<usize>>,
    includes: Vec<Included>,
}

/// The kind of objects in a list of `includes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IncludeKind {
    Users,
    Posts,
    Media,
    Places,
    Polls,
}

/// One list of `includes`.
#[derive(Debug)]
struct Included {
    name: &'static str,
    kind: IncludeKind,
    objects: Vec<Range<usize>>,
    /// Indices by id, or by media key.
    by_id: HashMap<Vec<u8>, usize>,
    /// Indices of users by their name in lower case.
    by_username: HashMap<Vec<u8>, usize>,
}

const LISTS: [(&str, IncludeKind); 6] = [
    ("users", IncludeKind::Users),
    ("tweets", IncludeKind::Posts),
    ("posts", IncludeKind::Posts),
    ("media", IncludeKind::Media),
    ("places", IncludeKind::Places),
    ("polls", IncludeKind::Polls),
];

/// The objects that a tweet refers to.
#[derive(Debug, Default)]
struct References<'a> {
    ids: Vec<(IncludeKind, Cow<'a, [u8]>)>,
    usernames: Vec<Vec<u8>>,
}

impl Page {
    /// Parses a whole JSON value as a page: an object whose `data` is a list (or one tweet), one without `data` whose
    /// `meta` has a `result_count`, or a v1.1 search result, whose `statuses` is a list. Remove line ends between
    /// tokens first, to get one line per tweet.
    ///
    /// # Errors
    /// Gives the value back if it is no page or not valid JSON in UTF-8.
    pub fn read(value: Vec<u8>) -> Result<Page, Vec<u8>> {
        match parts(&value) {
            Some((is_v2, tweets, includes)) => Ok(Page { value, is_v2, tweets, includes }),
            None => Err(value),
        }
    }

    /// The length of the parsed value.
    pub fn bytes(&self) -> usize {
        self.value.len()
    }

    /// The number of tweets.
    pub fn len(&self) -> usize {
        self.tweets.len()
    }

    /// Whether the page has no tweets.
    pub fn is_empty(&self) -> bool {
        self.tweets.is_empty()
    }

    /// Appends the line of a tweet, counted from 0, without a line end. An element that is no object is copied
    /// unchanged.
    ///
    /// # Panics
    /// When `tweet` is not below [`len`](Self::len).
    pub fn write_line(&self, tweet: usize, line: &mut Vec<u8>) {
        let tweet = &self.value[self.tweets[tweet].clone()];
        if !self.is_v2 || tweet.first() != Some(&b'{') {
            line.extend_from_slice(tweet);
            return;
        }
        line.extend_from_slice(b"{\"data\":");
        line.extend_from_slice(tweet);
        let own = self.own_includes(tweet);
        let mut lists = self.includes.iter().zip(own).filter(|(_, own)| !own.is_empty()).peekable();
        if lists.peek().is_some() {
            let mut before = "{";
            line.extend_from_slice(b",\"includes\":");
            for (list, own) in lists {
                line.extend_from_slice(format!("{before}\"{}\":", list.name).as_bytes());
                for (position, index) in own.into_iter().enumerate() {
                    line.push(if position == 0 { b'[' } else { b',' });
                    line.extend_from_slice(&self.value[list.objects[index].clone()]);
                }
                line.push(b']');
                before = ",";
            }
            line.push(b'}');
        }
        line.push(b'}');
    }

    /// The indices of the tweet's objects in each list of `includes`, in ascending order.
    fn own_includes(&self, tweet: &[u8]) -> Vec<Vec<usize>> {
        let mut references = References::default();
        // The page is valid JSON, so collecting from a part of it cannot fail.
        let _ = references.collect(tweet, true);
        let mut own = vec![Vec::new(); self.includes.len()];
        self.find(&references, &mut own);
        // Referenced posts have authors and media of their own.
        let mut further = References::default();
        for (list, own) in self.includes.iter().zip(&own).filter(|(list, _)| list.kind == IncludeKind::Posts) {
            for &index in own {
                let _ = further.collect(&self.value[list.objects[index].clone()], false);
            }
        }
        self.find(&further, &mut own);
        for own in &mut own {
            own.sort_unstable();
            own.dedup();
        }
        own
    }

    fn find(&self, references: &References<'_>, own: &mut [Vec<usize>]) {
        for (list, own) in self.includes.iter().zip(own) {
            let ids = references.ids.iter().filter(|(kind, _)| *kind == list.kind);
            own.extend(ids.filter_map(|(_, id)| list.by_id.get(id.as_ref()).copied()));
            if list.kind == IncludeKind::Users {
                own.extend(references.usernames.iter().filter_map(|name| list.by_username.get(name).copied()));
            }
        }
    }
}

type Parts = (bool, Vec<Range<usize>>, Vec<Included>);

fn parts(value: &[u8]) -> Option<Parts> {
    simdutf8::basic::from_utf8(value).ok()?;
    let mut cursor = JsonCursor::new(value);
    if cursor.peek_token() != b'{' {
        return None;
    }
    let (mut data, mut statuses, mut includes, mut meta) = (None, None, None, None);
    let parsed = cursor.members(|cursor, name| {
        let slot = match name {
            b"data" => &mut data,
            b"statuses" => &mut statuses,
            b"includes" => &mut includes,
            b"meta" => &mut meta,
            _ => return cursor.skip(1),
        };
        let at = cursor.at();
        *slot = Some((at, cursor.value(1)?));
        Ok(())
    });
    parsed.and_then(|()| cursor.end()).ok()?;
    let (tweets, is_v2) = match (data, statuses) {
        (Some((at, Value::Array(list))), _) => (elements(list, at).ok()?, true),
        (Some((at, Value::Object(tweet))), _) => (std::iter::once(at..at + tweet.len()).collect(), true),
        (None, Some((at, Value::Array(list)))) => (elements(list, at).ok()?, false),
        (None, None) if meta.is_some_and(|(_, meta)| counts_results(meta)) => (Vec::new(), true),
        _ => return None,
    };
    let includes = match includes {
        Some((at, Value::Object(object))) if is_v2 => read_includes(object, at).ok()?,
        _ => Vec::new(),
    };
    Some((is_v2, tweets, includes))
}

/// Whether this is the `meta` of a page. A page without results may be just `{"meta":{"result_count":0}}`.
fn counts_results(meta: Value<'_>) -> bool {
    let Value::Object(meta) = meta else { return false };
    let mut counts = false;
    let parsed = members(meta, |name, _| {
        counts |= name == b"result_count";
        Ok(())
    });
    parsed.is_ok() && counts
}

/// Parses the object `includes`, which begins at `offset` of the page.
fn read_includes(object: &[u8], offset: usize) -> Parsed<Vec<Included>> {
    let mut includes = Vec::new();
    let mut cursor = JsonCursor::new(object);
    cursor.members(|cursor, name| {
        let at = cursor.at();
        let value = cursor.value(1)?;
        let Some(&(name, kind)) = LISTS.iter().find(|(list, _)| list.as_bytes() == name) else { return Ok(()) };
        let Value::Array(list) = value else { return Ok(()) };
        let objects = elements(list, offset + at)?;
        let (mut by_id, mut by_username) = (HashMap::new(), HashMap::new());
        let id_name: &[u8] = if kind == IncludeKind::Media { b"media_key" } else { b"id" };
        for (index, range) in objects.iter().enumerate() {
            members(&object[range.start - offset..range.end - offset], |name, value| {
                let Some(text) = plain(value) else { return Ok(()) };
                if name == id_name {
                    by_id.insert(text.into_owned(), index);
                } else if kind == IncludeKind::Users && name == b"username" {
                    by_username.insert(text.to_ascii_lowercase(), index);
                }
                Ok(())
            })?;
        }
        includes.push(Included { name, kind, objects, by_id, by_username });
        Ok(())
    })?;
    Ok(includes)
}

impl<'a> References<'a> {
    /// Adds what a post refers to: everything, or for an included post its author and media.
    fn collect(&mut self, post: &'a [u8], is_matched: bool) -> Parsed {
        members(post, |name, value| {
            match name {
                b"author_id" => self.add(IncludeKind::Users, value),
                b"attachments" => object_members(value, |name, value| {
                    match name {
                        b"media_keys" => self.add_all(IncludeKind::Media, value)?,
                        b"poll_ids" if is_matched => self.add_all(IncludeKind::Polls, value)?,
                        b"media_source_tweet_id" if is_matched => self.add_all(IncludeKind::Posts, value)?,
                        _ => {}
                    }
                    Ok(())
                })?,
                _ if !is_matched => {}
                b"in_reply_to_user_id" => self.add(IncludeKind::Users, value),
                b"entities" => self.mentions(value)?,
                b"note_tweet" | b"note_post" => object_members(value, |name, value| match name {
                    b"entities" => self.mentions(value),
                    _ => Ok(()),
                })?,
                b"referenced_tweets" | b"referenced_posts" => element_members(value, |name, value| {
                    if name == b"id" {
                        self.add(IncludeKind::Posts, value);
                    }
                })?,
                b"edit_history_tweet_ids" | b"edit_history_post_ids" => self.add_all(IncludeKind::Posts, value)?,
                b"geo" => object_members(value, |name, value| {
                    if name == b"place_id" {
                        self.add(IncludeKind::Places, value);
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })
    }

    fn mentions(&mut self, entities: Value<'a>) -> Parsed {
        object_members(entities, |name, value| {
            if name != b"mentions" {
                return Ok(());
            }
            element_members(value, |name, value| match name {
                b"id" => self.add(IncludeKind::Users, value),
                b"username" => self.usernames.extend(plain(value).map(|name| name.to_ascii_lowercase())),
                _ => {}
            })
        })
    }

    fn add(&mut self, kind: IncludeKind, id: Value<'a>) {
        self.ids.extend(plain(id).map(|id| (kind, id)));
    }

    fn add_all(&mut self, kind: IncludeKind, ids: Value<'a>) -> Parsed {
        let Value::Array(list) = ids else {
            self.add(kind, ids);
            return Ok(());
        };
        JsonCursor::new(list).each_element(|cursor| {
            let id = cursor.value(1)?;
            self.add(kind, id);
            Ok(())
        })
    }
}

/// The value of a string, or a number as written: ids come as both.
fn plain(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::String(text) if text.escaped => Some(Cow::Owned(text.to_string_lossy().into_bytes())),
        Value::String(text) => Some(Cow::Borrowed(text.raw)),
        Value::Number(number) => Some(Cow::Borrowed(number)),
        _ => None,
    }
}

/// The ranges of an array's elements; the array begins at `offset`.
fn elements(array: &[u8], offset: usize) -> Parsed<Vec<Range<usize>>> {
    let mut elements = Vec::new();
    JsonCursor::new(array).each_element(|cursor| {
        let at = cursor.at();
        cursor.skip(1)?;
        elements.push(offset + at..offset + cursor.at());
        Ok(())
    })?;
    Ok(elements)
}

fn members<'a>(object: &'a [u8], mut each: impl FnMut(&[u8], Value<'a>) -> Parsed) -> Parsed {
    let mut cursor = JsonCursor::new(object);
    if cursor.peek_token() != b'{' {
        return Ok(());
    }
    cursor.members(|cursor, name| {
        let value = cursor.value(1)?;
        each(name, value)
    })
}

/// Visits the members of a value that is an object.
fn object_members<'a>(value: Value<'a>, each: impl FnMut(&[u8], Value<'a>) -> Parsed) -> Parsed {
    match value {
        Value::Object(object) => members(object, each),
        _ => Ok(()),
    }
}

/// Visits the members of all objects in a value that is an array.
fn element_members<'a>(value: Value<'a>, mut each: impl FnMut(&[u8], Value<'a>)) -> Parsed {
    let Value::Array(list) = value else { return Ok(()) };
    for element in elements(list, 0)? {
        members(&list[element], |name, value| {
            each(name, value);
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
