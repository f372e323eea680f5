//! The columns of a v2 post that are found through its references: in `referenced_tweets`, and in the line's `includes`,
//! which may stand before or after the post. A flattened post holds both in one: its references are the included posts.
//!
//! What is referred to and not included leaves its id and nulls, never nothing.

use super::column::Column;
use super::fill::{Refused, Row, push_integer, push_word, wrong};
use super::includes::Included;
use super::plan::{Fill, ListPick, Pick, Scope, pick};
use super::projection::Selected;
use super::record::Slot;
use super::schema::{Own, Reference};
use super::shape::{Draft, OWN};
use super::value;

/// How such a column is filled.
#[derive(Debug)]
pub(super) enum Fill2 {
    /// The post's own texts, the longest first.
    Text(References, Box<[Pick]>),
    TextComplete(References),
    TweetType(References),
    Id(Reference, References),
    Author(Reference, References),
    ReplyUsername(Pick),
    /// A struct of an included object, by the id that the post has of it.
    Struct(Kind, Pick, Members),
    /// Structs of included media, by their keys.
    Media(ListPick, Members),
}

/// What kind of object a struct is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    User,
    Poll,
    Place,
}

/// The members of a struct in an included object.
#[derive(Debug)]
pub(super) struct Members {
    fills: Box<[Fill]>,
    /// Which of them is the id by which the object is found.
    id: Option<usize>,
}

/// The post's references, under either name, with the type and id of an element.
#[derive(Debug)]
pub(super) struct References(Vec<(ListPick, Pick, Pick)>);

impl References {
    fn new(scope: &mut Scope<'_>, draft: &mut Draft) -> References {
        let is_flat = scope.is_flat;
        if is_flat {
            scope.includes.posts.use_it();
        }
        let arrays = ["referenced_tweets", "referenced_posts"].into_iter().map(|path| {
            let (array, element) = scope.list(draft, path);
            // What is attached there later takes the place of this element.
            let element = if is_flat { &mut scope.includes.posts.draft } else { element };
            (array, pick(element, "", "type"), pick(element, "", "id"))
        });
        References(arrays.collect())
    }

    /// The id of the first reference of this kind.
    fn id(&self, row: &Row<'_>, base: usize, kind: Reference) -> Result<Option<i64>, Refused> {
        let word: &[u8] = match kind {
            Reference::Retweeted => b"retweeted",
            Reference::Quoted => b"quoted",
            Reference::RepliedTo => b"replied_to",
        };
        for (array, kind_of, id) in &self.0 {
            for element in row.elements(array, base)? {
                let Some((_, slot)) = row.first(std::slice::from_ref(kind_of), element)? else { continue };
                if !value::is_text(slot, row.line) {
                    return Err(wrong(&kind_of.path, "a text"));
                }
                if value::same(slot, row.line, word) {
                    let id = row.first(std::slice::from_ref(id), element)?;
                    return id.map(|(pick, slot)| row.integer(pick, slot)).transpose();
                }
            }
        }
        Ok(None)
    }
}

impl Fill2 {
    pub(super) fn new(own: Own, scope: &mut Scope<'_>, column: &Selected, draft: &mut Draft) -> Fill2 {
        match own {
            Own::Text2 => {
                scope.includes.posts.use_it();
                let own = scope.picks(draft, &["note_tweet.text", "note_post.text", "text"]);
                Fill2::Text(References::new(scope, draft), own)
            }
            Own::TextComplete2 => {
                scope.includes.posts.use_it();
                Fill2::TextComplete(References::new(scope, draft))
            }
            Own::TweetType2 => Fill2::TweetType(References::new(scope, draft)),
            Own::ReferenceId(kind) => Fill2::Id(kind, References::new(scope, draft)),
            Own::ReferenceAuthor(kind) => {
                scope.includes.posts.use_it();
                Fill2::Author(kind, References::new(scope, draft))
            }
            Own::ReplyUsername2 => {
                scope.includes.users.use_it();
                Fill2::ReplyUsername(scope.pick(draft, "in_reply_to_user_id"))
            }
            Own::Author2 => {
                let id = scope.pick(draft, "author_id");
                Fill2::Struct(Kind::User, id, Members::new(scope, column, |includes| &mut includes.users, None))
            }
            Own::Poll2 => {
                let id = scope.pick(draft, "attachments.poll_ids[0]");
                Fill2::Struct(Kind::Poll, id, Members::new(scope, column, |includes| &mut includes.polls, Some("id")))
            }
            Own::Place2 => {
                let id = scope.pick(draft, "geo.place_id");
                Fill2::Struct(Kind::Place, id, Members::new(scope, column, |includes| &mut includes.places, Some("id")))
            }
            Own::Media2 => {
                let (keys, _) = scope.list(draft, "attachments.media_keys");
                let item = &column.members[0];
                Fill2::Media(keys, Members::new(scope, item, |includes| &mut includes.media, Some("key")))
            }
            other => unreachable!("{other:?} is filled elsewhere"),
        }
    }

    pub(super) fn fill(&self, row: &Row<'_>, column: &mut Column, base: usize) -> Result<(), Refused> {
        let includes = &row.plan.includes;
        match self {
            Fill2::Text(references, own) => {
                if let Some(id) = references.id(row, base, Reference::Retweeted)?
                    && let Some(original) = includes.posts.by_number(row, id)?
                    && row.first(&includes.post_texts, original)?.is_some()
                {
                    return row.value(&includes.post_texts, column, original);
                }
                row.value(own, column, base)
            }
            Fill2::TextComplete(references) => {
                let complete = match references.id(row, base, Reference::Retweeted)? {
                    // A reference that was not resolved has no text.
                    Some(id) => match includes.posts.by_number(row, id)? {
                        Some(original) => row.first(&includes.post_texts, original)?.is_some(),
                        None => false,
                    },
                    None => true,
                };
                let Column::Bool(bools) = column else { unreachable!("the plan is made of the schema") };
                bools.push(Some(complete));
                Ok(())
            }
            Fill2::TweetType(references) => {
                let kinds =
                    [(Reference::Retweeted, "retweet"), (Reference::Quoted, "quote"), (Reference::RepliedTo, "reply")];
                for (kind, word) in kinds {
                    if references.id(row, base, kind)?.is_some() {
                        return push_word(column, Some(word));
                    }
                }
                push_word(column, Some("original"))
            }
            Fill2::Id(kind, references) => {
                push_integer(column, references.id(row, base, *kind)?);
                Ok(())
            }
            Fill2::Author(kind, references) => {
                let post = match references.id(row, base, *kind)? {
                    Some(id) => includes.posts.by_number(row, id)?,
                    None => None,
                };
                match post {
                    Some(post) => row.value(&includes.post_author, column, post),
                    None => {
                        column.push_null();
                        Ok(())
                    }
                }
            }
            Fill2::ReplyUsername(user) => {
                let user = match row.first(std::slice::from_ref(user), base)? {
                    Some((pick, slot)) => includes.users.by_number(row, row.integer(pick, slot)?)?,
                    None => None,
                };
                match user {
                    Some(user) => row.value(&includes.user_name, column, user),
                    None => {
                        column.push_null();
                        Ok(())
                    }
                }
            }
            Fill2::Struct(kind, id, members) => {
                let Some((pick, slot)) = row.first(std::slice::from_ref(id), base)? else {
                    column.push_null();
                    return Ok(());
                };
                let found = match kind {
                    Kind::User => includes.users.by_number(row, row.integer(pick, slot)?)?,
                    Kind::Poll => includes.polls.by_number(row, row.integer(pick, slot)?)?,
                    Kind::Place => includes.places.by_text(row, pick, slot)?,
                };
                // A user's id has a column of its own, and a struct of nulls would tell nothing.
                if found.is_none() && matches!(kind, Kind::User) {
                    column.push_null();
                    return Ok(());
                }
                members.fill(row, column, found, pick, base)
            }
            Fill2::Media(keys, members) => media(row, keys, members, column, base),
        }
    }
}

fn media(row: &Row<'_>, keys: &ListPick, members: &Members, column: &mut Column, base: usize) -> Result<(), Refused> {
    if row.get(base, keys.pick.slot).is_none() {
        column.push_null();
        return Ok(());
    }
    let Column::List(lists) = column else { unreachable!("the plan is made of the schema") };
    for element in row.elements(keys, base)? {
        lists.length += 1;
        let slot: Slot = row.get(element, OWN);
        if slot.is_none() {
            lists.items.push_null();
            continue;
        }
        let key = Pick { slot: OWN, ..keys.pick.clone() };
        let found = row.plan.includes.media.by_text(row, &key, slot)?;
        members.fill(row, &mut lists.items, found, &key, element)?;
    }
    Ok(lists.end_row()?)
}

impl Members {
    fn new(
        scope: &mut Scope<'_>,
        column: &Selected,
        included: fn(&mut super::includes::Includes) -> &mut Included,
        id: Option<&str>,
    ) -> Members {
        included(scope.includes).use_it();
        let mut draft = std::mem::take(&mut included(scope.includes).draft);
        let fills = scope.at("").members(column, &mut draft);
        included(scope.includes).draft = draft;
        let id = id.and_then(|id| column.members.iter().position(|member| member.column.name == id));
        Members { fills, id }
    }

    /// Adds the struct of the object that was `found`, or of nothing but its id, which `key` has in the record at `base`.
    fn fill(
        &self,
        row: &Row<'_>,
        column: &mut Column,
        found: Option<usize>,
        key: &Pick,
        base: usize,
    ) -> Result<(), Refused> {
        if let Some(found) = found {
            return row.fill_struct(&self.fills, column, found);
        }
        let Column::Struct(structs) = column else { unreachable!("the plan is made of the schema") };
        structs.nulls.push();
        for (index, member) in structs.members.iter_mut().enumerate() {
            if self.id == Some(index) {
                row.value(std::slice::from_ref(key), member, base)?;
            } else {
                member.push_null();
            }
        }
        Ok(())
    }
}
