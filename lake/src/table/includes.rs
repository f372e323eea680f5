//! What a v2 line brings along: users, posts, media, places and polls that its post refers to by id.
//!
//! In a line of the stream they are in `includes`. In a flattened one the references themselves hold the posts, and the attachments
//! the media; users, places and polls are found without an id there.

use super::fill::{Refused, Row, wrong};
use super::plan::{ListPick, Pick, pick, picks};
use super::record::Slot;
use super::shape::Draft;
use super::value;

/// The line's `includes`.
#[derive(Debug)]
pub(super) struct Includes {
    pub(super) users: Included,
    pub(super) posts: Included,
    pub(super) media: Included,
    pub(super) places: Included,
    pub(super) polls: Included,
    /// In a post: its texts, the longest first.
    pub(super) post_texts: Box<[Pick]>,
    /// In a post.
    pub(super) post_author: Box<[Pick]>,
    /// In a user.
    pub(super) user_name: Box<[Pick]>,
}

/// One kind of them.
#[derive(Debug)]
pub(super) struct Included {
    /// Paths of the lists that hold them.
    lists: &'static [&'static str],
    /// The record of each.
    pub(super) draft: Draft,
    /// By which it is found.
    key: Pick,
    is_used: bool,
    arrays: Vec<ListPick>,
}

impl Included {
    fn new(lists: &'static [&'static str], key: &str) -> Included {
        let mut draft = Draft::default();
        let key = pick(&mut draft, "", key);
        Included { lists, draft, key, is_used: false, arrays: Vec::new() }
    }

    /// Without this the walk skips them.
    pub(super) fn use_it(&mut self) {
        self.is_used = true;
    }

    fn attach(&mut self, line: &mut Draft) {
        if !self.is_used {
            return;
        }
        for list in self.lists {
            let pick = pick(line, "", list);
            let head = line.attach(&pick.path, &self.draft);
            self.arrays.push(ListPick { pick, head });
        }
    }

    /// The records of all of them.
    pub(super) fn each(&self, row: &Row<'_>) -> Result<Vec<usize>, Refused> {
        let mut all = Vec::new();
        for array in &self.arrays {
            all.extend(row.elements(array, row.top)?);
        }
        Ok(all)
    }

    /// The record of the first one with this id.
    pub(super) fn by_number(&self, row: &Row<'_>, id: i64) -> Result<Option<usize>, Refused> {
        self.find(row, |slot| value::integer(slot, row.line) == Some(id))
    }

    /// The record of the one whose key is the text in `slot`.
    pub(super) fn by_text(&self, row: &Row<'_>, pick: &Pick, slot: Slot) -> Result<Option<usize>, Refused> {
        let Some(wanted) = value::text(slot, row.line) else { return Err(wrong(&pick.path, "a text")) };
        if !wanted.escaped {
            return self.find(row, |slot| value::same(slot, row.line, wanted.raw));
        }
        let mut plain = Vec::new();
        wanted.unescape_into(&mut plain);
        self.find(row, |slot| value::same(slot, row.line, &plain))
    }

    fn find(&self, row: &Row<'_>, is_wanted: impl Fn(Slot) -> bool) -> Result<Option<usize>, Refused> {
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
    /// Those of a line of the stream.
    pub(super) fn of_stream() -> Includes {
        let posts = Included::new(&["includes.tweets", "includes.posts"], "id");
        let media = Included::new(&["includes.media"], "media_key");
        let users = Included::new(&["includes.users"], "id");
        let places = Included::new(&["includes.places"], "id");
        Includes::new(users, posts, media, places, Included::new(&["includes.polls"], "id"))
    }

    /// Those that a flattened line embeds.
    pub(super) fn embedded() -> Includes {
        let posts = Included::new(&["referenced_tweets", "referenced_posts"], "id");
        let media = Included::new(&["attachments.media"], "media_key");
        let nowhere = || Included::new(&[], "id");
        Includes::new(nowhere(), posts, media, nowhere(), nowhere())
    }

    fn new(mut users: Included, mut posts: Included, media: Included, places: Included, polls: Included) -> Includes {
        Includes {
            post_texts: picks(&mut posts.draft, "", &["note_tweet.text", "note_post.text", "text"]),
            post_author: picks(&mut posts.draft, "", &["author_id"]),
            user_name: picks(&mut users.draft, "", &["username"]),
            users,
            posts,
            media,
            places,
            polls,
        }
    }
}

impl Includes {
    /// Ends the planning: the line's record gets all that are used.
    pub(super) fn attach(&mut self, line: &mut Draft) {
        for included in [&mut self.users, &mut self.posts, &mut self.media, &mut self.places, &mut self.polls] {
            included.attach(line);
        }
    }

    /// The ids of included posts.
    pub(super) fn post_id(&self) -> &Pick {
        &self.posts.key
    }
}
