//! The objects that a v2 post refers to by id: users, posts, media, places and polls.
//!
//! A line of the stream has them in `includes`. In a flattened line the references contain the posts and the
//! attachments contain the media; users, places and polls are embedded, too, and need no id.

use super::fill::{Rejection, Row, wrong};
use super::plan::{ListPath, ValuePath, value_path, value_paths};
use super::record::Slot;
use super::shape::Draft;
use super::value;

/// The included objects of a line, by kind.
#[derive(Debug)]
pub(super) struct Includes {
    pub(super) users: Included,
    pub(super) posts: Included,
    pub(super) media: Included,
    pub(super) places: Included,
    pub(super) polls: Included,
    /// The texts of a post, the longest first.
    pub(super) post_texts: Box<[ValuePath]>,
    pub(super) post_author: Box<[ValuePath]>,
    pub(super) user_name: Box<[ValuePath]>,
}

/// The included objects of one kind.
#[derive(Debug)]
pub(super) struct Included {
    /// Paths of the arrays that contain them.
    lists: &'static [&'static str],
    /// The record of one of them.
    pub(super) draft: Draft,
    /// The member that identifies one.
    key: ValuePath,
    is_selected: bool,
    arrays: Vec<ListPath>,
}

impl Included {
    fn new(lists: &'static [&'static str], key: &str) -> Included {
        let mut draft = Draft::default();
        let key = value_path(&mut draft, "", key);
        Included { lists, draft, key, is_selected: false, arrays: Vec::new() }
    }

    /// Selects them; otherwise the parser skips them.
    pub(super) fn select(&mut self) {
        self.is_selected = true;
    }

    fn attach(&mut self, line: &mut Draft) {
        if !self.is_selected {
            return;
        }
        for list in self.lists {
            let path = value_path(line, "", list);
            let head = line.attach(&path.name, &self.draft);
            self.arrays.push(ListPath { array: path, head });
        }
    }

    /// The records of all of them.
    pub(super) fn each(&self, row: &Row<'_>) -> Result<Vec<usize>, Rejection> {
        let mut all = Vec::new();
        for array in &self.arrays {
            all.extend(row.elements(array, row.top)?);
        }
        Ok(all)
    }

    /// The record of the first one with this id.
    pub(super) fn by_number(&self, row: &Row<'_>, id: i64) -> Result<Option<usize>, Rejection> {
        self.find(row, |slot| value::integer(slot, row.line) == Some(id))
    }

    /// The record of the first one whose key is the string in `slot`.
    pub(super) fn by_text(&self, row: &Row<'_>, path: &ValuePath, slot: Slot) -> Result<Option<usize>, Rejection> {
        let Some(wanted) = value::text(slot, row.line) else { return Err(wrong(&path.name, "a string")) };
        if !wanted.escaped {
            return self.find(row, |slot| value::same(slot, row.line, wanted.raw));
        }
        let mut plain = Vec::new();
        wanted.unescape_into(&mut plain);
        self.find(row, |slot| value::same(slot, row.line, &plain))
    }

    fn find(&self, row: &Row<'_>, is_wanted: impl Fn(Slot) -> bool) -> Result<Option<usize>, Rejection> {
        for array in &self.arrays {
            for element in row.elements(array, row.top)? {
                let slot = row.get(element, self.key.slot);
                if !slot.is_none() && !slot.is_misplaced() && is_wanted(slot) {
                    return Ok(Some(element));
                }
            }
        }
        Ok(None)
    }
}

impl Includes {
    /// The includes of a line of the stream.
    pub(super) fn of_stream() -> Includes {
        let posts = Included::new(&["includes.tweets", "includes.posts"], "id");
        let media = Included::new(&["includes.media"], "media_key");
        let users = Included::new(&["includes.users"], "id");
        let places = Included::new(&["includes.places"], "id");
        Includes::new(users, posts, media, places, Included::new(&["includes.polls"], "id"))
    }

    /// The objects that a flattened line embeds.
    pub(super) fn embedded() -> Includes {
        let posts = Included::new(&["referenced_tweets", "referenced_posts"], "id");
        let media = Included::new(&["attachments.media"], "media_key");
        let nowhere = || Included::new(&[], "id");
        Includes::new(nowhere(), posts, media, nowhere(), nowhere())
    }

    fn new(mut users: Included, mut posts: Included, media: Included, places: Included, polls: Included) -> Includes {
        Includes {
            post_texts: value_paths(&mut posts.draft, "", &["note_tweet.text", "note_post.text", "text"]),
            post_author: value_paths(&mut posts.draft, "", &["author_id"]),
            user_name: value_paths(&mut users.draft, "", &["username"]),
            users,
            posts,
            media,
            places,
            polls,
        }
    }
}

impl Includes {
    /// Adds the arrays of all selected kinds to the line's record; the last step of planning.
    pub(super) fn attach(&mut self, line: &mut Draft) {
        for included in [&mut self.users, &mut self.posts, &mut self.media, &mut self.places, &mut self.polls] {
            included.attach(line);
        }
    }

    /// The id of an included post.
    pub(super) fn post_id(&self) -> &ValuePath {
        &self.posts.key
    }
}
