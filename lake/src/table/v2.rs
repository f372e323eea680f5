//! The columns of a v2 post that are resolved through its references: in `referenced_tweets`, and in the line's
//! `includes`, which may come before or after the post. In a flattened post the references are the included posts.
//!
//! A reference to an object that is not included gives the id and nulls.

use super::column::Column;
use super::fill::{Rejection, Row, push_integer, push_string, wrong};
use super::includes::Included;
use super::plan::{Fill, ListPath, Scope, ValuePath, value_path};
use super::projection::Selected;
use super::record::Slot;
use super::schema::{Reference, Rule};
use super::shape::{Draft, OWN};
use super::value;

/// How to fill such a column.
#[derive(Debug)]
pub(super) enum Fill2 {
    /// With the post's own texts, the longest first.
    Text(References, Box<[ValuePath]>),
    TextComplete(References),
    TweetType(References),
    Id(Reference, References),
    Author(Reference, References),
    ReplyUsername(ValuePath),
    /// With an included object, by its id in the post.
    Struct(IncludedKind, ValuePath, StructFill),
    /// With included media, by their keys.
    Media(ListPath, StructFill),
}

/// The kind of object that a struct describes.
#[derive(Debug, Clone, Copy)]
pub(super) enum IncludedKind {
    User,
    Poll,
    Place,
}

/// The members of a struct that describes an included object.
#[derive(Debug)]
pub(super) struct StructFill {
    fills: Box<[Fill]>,
    /// The index of the member that is the object's id.
    id: Option<usize>,
}

/// The post's references under both names, each with the type and id of an element.
#[derive(Debug)]
pub(super) struct References(Vec<(ListPath, ValuePath, ValuePath)>);

impl References {
    fn new(scope: &mut Scope<'_>, draft: &mut Draft) -> References {
        let is_flat = scope.is_flat;
        if is_flat {
            scope.includes.posts.select();
        }
        let arrays = ["referenced_tweets", "referenced_posts"].into_iter().map(|path| {
            let (array, element) = scope.list(draft, path);
            // The record attached later replaces the record of this element.
            let element = if is_flat { &mut scope.includes.posts.draft } else { element };
            (array, value_path(element, "", "type"), value_path(element, "", "id"))
        });
        References(arrays.collect())
    }

    /// The id of the first reference of this type.
    fn id(&self, row: &Row<'_>, base: usize, kind: Reference) -> Result<Option<i64>, Rejection> {
        let name: &[u8] = match kind {
            Reference::Retweeted => b"retweeted",
            Reference::Quoted => b"quoted",
            Reference::RepliedTo => b"replied_to",
        };
        for (array, kind_of, id) in &self.0 {
            for element in row.elements(array, base)? {
                let Some((_, slot)) = row.first(std::slice::from_ref(kind_of), element)? else { continue };
                if !value::is_text(slot, row.line) {
                    return Err(wrong(&kind_of.name, "a string"));
                }
                if value::same(slot, row.line, name) {
                    let id = row.first(std::slice::from_ref(id), element)?;
                    return id.map(|(path, slot)| row.integer(path, slot)).transpose();
                }
            }
        }
        Ok(None)
    }
}

impl Fill2 {
    pub(super) fn new(rule: Rule, scope: &mut Scope<'_>, column: &Selected, draft: &mut Draft) -> Fill2 {
        match rule {
            Rule::Text2 => {
                scope.includes.posts.select();
                let own = scope.value_paths(draft, &["note_tweet.text", "note_post.text", "text"]);
                Fill2::Text(References::new(scope, draft), own)
            }
            Rule::TextComplete2 => {
                scope.includes.posts.select();
                Fill2::TextComplete(References::new(scope, draft))
            }
            Rule::TweetType2 => Fill2::TweetType(References::new(scope, draft)),
            Rule::ReferenceId(kind) => Fill2::Id(kind, References::new(scope, draft)),
            Rule::ReferenceAuthor(kind) => {
                scope.includes.posts.select();
                Fill2::Author(kind, References::new(scope, draft))
            }
            Rule::ReplyUsername2 => {
                scope.includes.users.select();
                Fill2::ReplyUsername(scope.value_path(draft, "in_reply_to_user_id"))
            }
            Rule::Author2 => {
                let id = scope.value_path(draft, "author_id");
                let members = StructFill::new(scope, column, |includes| &mut includes.users, None);
                Fill2::Struct(IncludedKind::User, id, members)
            }
            Rule::Poll2 => {
                let id = scope.value_path(draft, "attachments.poll_ids[0]");
                let members = StructFill::new(scope, column, |includes| &mut includes.polls, Some("id"));
                Fill2::Struct(IncludedKind::Poll, id, members)
            }
            Rule::Place2 => {
                let id = scope.value_path(draft, "geo.place_id");
                let members = StructFill::new(scope, column, |includes| &mut includes.places, Some("id"));
                Fill2::Struct(IncludedKind::Place, id, members)
            }
            Rule::Media2 => {
                let (keys, _) = scope.list(draft, "attachments.media_keys");
                let item = &column.members[0];
                Fill2::Media(keys, StructFill::new(scope, item, |includes| &mut includes.media, Some("key")))
            }
            other => unreachable!("{other:?} has a variant of `Fill` of its own"),
        }
    }

    pub(super) fn fill(&self, row: &Row<'_>, column: &mut Column, base: usize) -> Result<(), Rejection> {
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
                    // An unresolved reference has no text.
                    Some(id) => match includes.posts.by_number(row, id)? {
                        Some(original) => row.first(&includes.post_texts, original)?.is_some(),
                        None => false,
                    },
                    None => true,
                };
                let Column::Bool(bools) = column else { unreachable!("the plan follows the schema") };
                bools.push(Some(complete));
                Ok(())
            }
            Fill2::TweetType(references) => {
                let kinds =
                    [(Reference::Retweeted, "retweet"), (Reference::Quoted, "quote"), (Reference::RepliedTo, "reply")];
                for (kind, name) in kinds {
                    if references.id(row, base, kind)?.is_some() {
                        return push_string(column, Some(name));
                    }
                }
                push_string(column, Some("original"))
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
                row.value_of(post, &includes.post_author, column)
            }
            Fill2::ReplyUsername(user) => {
                let user = match row.first(std::slice::from_ref(user), base)? {
                    Some((path, slot)) => includes.users.by_number(row, row.integer(path, slot)?)?,
                    None => None,
                };
                row.value_of(user, &includes.user_name, column)
            }
            Fill2::Struct(kind, id, members) => {
                let Some((path, slot)) = row.first(std::slice::from_ref(id), base)? else {
                    column.push_null();
                    return Ok(());
                };
                let found = match kind {
                    IncludedKind::User => includes.users.by_number(row, row.integer(path, slot)?)?,
                    IncludedKind::Poll => includes.polls.by_number(row, row.integer(path, slot)?)?,
                    IncludedKind::Place => includes.places.by_text(row, path, slot)?,
                };
                // The user's id has its own column, and a struct of nulls would carry no information.
                if found.is_none() && matches!(kind, IncludedKind::User) {
                    column.push_null();
                    return Ok(());
                }
                members.fill(row, column, found, path, base)
            }
            Fill2::Media(keys, members) => media(row, keys, members, column, base),
        }
    }
}

fn media(
    row: &Row<'_>,
    keys: &ListPath,
    members: &StructFill,
    column: &mut Column,
    base: usize,
) -> Result<(), Rejection> {
    if row.get(base, keys.array.slot).is_none() {
        column.push_null();
        return Ok(());
    }
    let Column::List(lists) = column else { unreachable!("the plan follows the schema") };
    for element in row.elements(keys, base)? {
        lists.length += 1;
        let slot: Slot = row.get(element, OWN);
        if slot.is_none() {
            lists.items.push_null();
            continue;
        }
        let key = ValuePath { slot: OWN, ..keys.array.clone() };
        let found = row.plan.includes.media.by_text(row, &key, slot)?;
        members.fill(row, &mut lists.items, found, &key, element)?;
    }
    Ok(lists.end_row()?)
}

impl StructFill {
    fn new(
        scope: &mut Scope<'_>,
        column: &Selected,
        included: fn(&mut super::includes::Includes) -> &mut Included,
        id: Option<&str>,
    ) -> StructFill {
        included(scope.includes).select();
        let mut draft = std::mem::take(&mut included(scope.includes).draft);
        let fills = scope.at("").members(column, &mut draft);
        included(scope.includes).draft = draft;
        let id = id.and_then(|id| column.members.iter().position(|member| member.column.name == id));
        StructFill { fills, id }
    }

    /// Adds the struct of the object that was `found`; otherwise one that contains only the id, taken from `key` in the
    /// record at `base`.
    fn fill(
        &self,
        row: &Row<'_>,
        column: &mut Column,
        found: Option<usize>,
        key: &ValuePath,
        base: usize,
    ) -> Result<(), Rejection> {
        if let Some(found) = found {
            return row.fill_struct(&self.fills, column, found);
        }
        let Column::Struct(structs) = column else { unreachable!("the plan follows the schema") };
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
