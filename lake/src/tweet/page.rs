//! A page of v2 results taken apart: one line a tweet, in the form of the stream, each with the includes that it refers to.
//!
//! Search, timelines and lookups answer in pages: `data` is a list, and `includes` belongs to all of its tweets together. A
//! line of the stream is `{"data":{…},"includes":{…}}` for one tweet. Every tweet and every included object is copied byte
//! for byte. `meta`, `errors` and `__twarc` speak of the request and are not part of a tweet.
//!
//! Pure: no I/O. A page is held whole by the caller, because `includes` usually comes behind `data`.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;

use super::walk::{Fault, Value, Walker};

/// A page of results.
#[derive(Debug)]
pub struct Page {
    value: Vec<u8>,
    /// Tweets of v2, each to be joined by its includes; else whole statuses of a v1.1 search.
    is_v2: bool,
    tweets: Vec<Range<usize>>,
    includes: Vec<Included>,
}

/// What kind of object a list of `includes` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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
    kind: Kind,
    objects: Vec<Range<usize>>,
    /// By id, or by media key.
    by_id: HashMap<Vec<u8>, usize>,
    /// Users by their name in lower case.
    by_username: HashMap<Vec<u8>, usize>,
}

const LISTS: [(&str, Kind); 6] = [
    ("users", Kind::Users),
    ("tweets", Kind::Posts),
    ("posts", Kind::Posts),
    ("media", Kind::Media),
    ("places", Kind::Places),
    ("polls", Kind::Polls),
];

/// What a tweet refers to.
#[derive(Debug, Default)]
struct References<'a> {
    ids: Vec<(Kind, Cow<'a, [u8]>)>,
    usernames: Vec<Vec<u8>>,
}

impl Page {
    /// Reads a whole JSON value as a page: an object whose `data` is a list (or one tweet), one without `data` whose `meta` has
    /// a `result_count`, or a v1.1 search result, whose `statuses` is a list. No line end may stand between its tokens, if its lines are to be lines.
    ///
    /// # Errors
    /// Gives the value back where it is neither, or no valid JSON in UTF-8.
    pub fn read(value: Vec<u8>) -> Result<Page, Vec<u8>> {
        match parts(&value) {
            Some((is_v2, tweets, includes)) => Ok(Page { value, is_v2, tweets, includes }),
            None => Err(value),
        }
    }

    /// Length of the value that it was read from.
    pub fn bytes(&self) -> usize {
        self.value.len()
    }

    /// How many tweets it holds.
    pub fn len(&self) -> usize {
        self.tweets.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.tweets.is_empty()
    }

    /// Appends the line of a tweet, counted from 0, without a line end. What is no object is appended as it is.
    ///
    /// # Panics
    /// When the page holds no such tweet.
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
                for (place, index) in own.into_iter().enumerate() {
                    line.push(if place == 0 { b'[' } else { b',' });
                    line.extend_from_slice(&self.value[list.objects[index].clone()]);
                }
                line.push(b']');
                before = ",";
            }
            line.push(b'}');
        }
        line.push(b'}');
    }

    /// For each list of `includes` the objects that belong to the tweet, in the page's order.
    fn own_includes(&self, tweet: &[u8]) -> Vec<Vec<usize>> {
        let mut references = References::default();
        // The page was checked as a whole: a walk over a part of it does not fail.
        let _ = references.collect(tweet, true);
        let mut own = vec![Vec::new(); self.includes.len()];
        self.find(&references, &mut own);
        // The posts that it refers to bring their own authors and media.
        let mut further = References::default();
        for (list, own) in self.includes.iter().zip(&own).filter(|(list, _)| list.kind == Kind::Posts) {
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
            if list.kind == Kind::Users {
                own.extend(references.usernames.iter().filter_map(|name| list.by_username.get(name).copied()));
            }
        }
    }
}

type Parts = (bool, Vec<Range<usize>>, Vec<Included>);

fn parts(value: &[u8]) -> Option<Parts> {
    simdutf8::basic::from_utf8(value).ok()?;
    let mut walker = Walker::new(value);
    if walker.peek_token() != b'{' {
        return None;
    }
    let (mut data, mut statuses, mut includes, mut meta) = (None, None, None, None);
    let walk = walker.members(|walker, name| {
        let slot = match name {
            b"data" => &mut data,
            b"statuses" => &mut statuses,
            b"includes" => &mut includes,
            b"meta" => &mut meta,
            _ => return walker.skip(1),
        };
        let at = walker.at();
        *slot = Some((at, walker.value(1)?));
        Ok(())
    });
    walk.and_then(|()| walker.end()).ok()?;
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

/// Whether this is the `meta` of a page. Where nothing was found, it is all that X sends: `{"meta":{"result_count":0}}`.
fn counts_results(meta: Value<'_>) -> bool {
    let Value::Object(meta) = meta else { return false };
    let mut counts = false;
    let walk = members(meta, |name, _| {
        counts |= name == b"result_count";
        Ok(())
    });
    walk.is_ok() && counts
}

/// The lists of the object `includes`, which stands at `offset` of the page.
fn read_includes(object: &[u8], offset: usize) -> Result<Vec<Included>, Fault> {
    let mut includes = Vec::new();
    let mut walker = Walker::new(object);
    walker.members(|walker, name| {
        let at = walker.at();
        let value = walker.value(1)?;
        let Some(&(name, kind)) = LISTS.iter().find(|(list, _)| list.as_bytes() == name) else { return Ok(()) };
        let Value::Array(list) = value else { return Ok(()) };
        let objects = elements(list, offset + at)?;
        let (mut by_id, mut by_username) = (HashMap::new(), HashMap::new());
        let id_name: &[u8] = if kind == Kind::Media { b"media_key" } else { b"id" };
        for (index, range) in objects.iter().enumerate() {
            members(&object[range.start - offset..range.end - offset], |name, value| {
                let Some(text) = plain(value) else { return Ok(()) };
                if name == id_name {
                    by_id.insert(text.into_owned(), index);
                } else if kind == Kind::Users && name == b"username" {
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
    /// Adds what a post refers to: all of it, or only what a post that is itself included brings along.
    fn collect(&mut self, post: &'a [u8], is_matched: bool) -> Result<(), Fault> {
        members(post, |name, value| {
            match name {
                b"author_id" => self.add(Kind::Users, value),
                b"attachments" => inside(value, |name, value| {
                    match name {
                        b"media_keys" => self.add_all(Kind::Media, value)?,
                        b"poll_ids" if is_matched => self.add_all(Kind::Polls, value)?,
                        b"media_source_tweet_id" if is_matched => self.add_all(Kind::Posts, value)?,
                        _ => {}
                    }
                    Ok(())
                })?,
                _ if !is_matched => {}
                b"in_reply_to_user_id" => self.add(Kind::Users, value),
                b"entities" => self.mentions(value)?,
                b"note_tweet" | b"note_post" => inside(value, |name, value| match name {
                    b"entities" => self.mentions(value),
                    _ => Ok(()),
                })?,
                b"referenced_tweets" | b"referenced_posts" => each_member(value, |name, value| {
                    if name == b"id" {
                        self.add(Kind::Posts, value);
                    }
                })?,
                b"edit_history_tweet_ids" | b"edit_history_post_ids" => self.add_all(Kind::Posts, value)?,
                b"geo" => inside(value, |name, value| {
                    if name == b"place_id" {
                        self.add(Kind::Places, value);
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })
    }

    fn mentions(&mut self, entities: Value<'a>) -> Result<(), Fault> {
        inside(entities, |name, value| {
            if name != b"mentions" {
                return Ok(());
            }
            each_member(value, |name, value| match name {
                b"id" => self.add(Kind::Users, value),
                b"username" => self.usernames.extend(plain(value).map(|name| name.to_ascii_lowercase())),
                _ => {}
            })
        })
    }

    fn add(&mut self, kind: Kind, id: Value<'a>) {
        self.ids.extend(plain(id).map(|id| (kind, id)));
    }

    fn add_all(&mut self, kind: Kind, ids: Value<'a>) -> Result<(), Fault> {
        let Value::Array(list) = ids else {
            self.add(kind, ids);
            return Ok(());
        };
        Walker::new(list).each_element(|walker| {
            let id = walker.value(1)?;
            self.add(kind, id);
            Ok(())
        })
    }
}

/// A text without its quotes and escapes, or a number as it stands: ids come as both.
fn plain(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Text(text) if text.escaped => Some(Cow::Owned(text.to_text().into_bytes())),
        Value::Text(text) => Some(Cow::Borrowed(text.raw)),
        Value::Number(number) => Some(Cow::Borrowed(number)),
        _ => None,
    }
}

/// Where the elements of an array stand that begins at `offset`.
fn elements(array: &[u8], offset: usize) -> Result<Vec<Range<usize>>, Fault> {
    let mut elements = Vec::new();
    Walker::new(array).each_element(|walker| {
        let at = walker.at();
        walker.skip(1)?;
        elements.push(offset + at..offset + walker.at());
        Ok(())
    })?;
    Ok(elements)
}

fn members<'a>(object: &'a [u8], mut each: impl FnMut(&[u8], Value<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut walker = Walker::new(object);
    if walker.peek_token() != b'{' {
        return Ok(());
    }
    walker.members(|walker, name| {
        let value = walker.value(1)?;
        each(name, value)
    })
}

/// The members of a value that is an object.
fn inside<'a>(value: Value<'a>, each: impl FnMut(&[u8], Value<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    match value {
        Value::Object(object) => members(object, each),
        _ => Ok(()),
    }
}

/// The members of all objects of a value that is a list.
fn each_member<'a>(value: Value<'a>, mut each: impl FnMut(&[u8], Value<'a>)) -> Result<(), Fault> {
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
