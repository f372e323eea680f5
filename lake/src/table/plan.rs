//! From the chosen columns to a plan: which values of a line to keep ([`super::shape`]), and how each column is filled from
//! them. Made once a projection, for both wire forms; reading lines is [`super::fill`]'s.

use super::includes::Includes;
use super::projection::Selected;
use super::schema::{Column, Kind, Own, Wire};
use super::shape::{Draft, Shape};
use super::v1::Fill1;
use super::v2::Fill2;
use crate::tweet::Api;

/// Where a value is, as one of several that may hold it.
#[derive(Debug, Clone)]
pub(super) struct Pick {
    pub(super) slot: u16,
    /// Not the value but this element of it.
    pub(super) element: Option<u8>,
    /// Whether the value is that in the slot as it is.
    pub(super) is_plain: bool,
    pub(super) is_ms: bool,
    /// The text `"null"` stands for null.
    pub(super) null_word: bool,
    /// Its name in messages, from the record that holds it.
    pub(super) path: Box<str>,
}

/// An array, as one of several that may hold a list.
#[derive(Debug, Clone)]
pub(super) struct ListPick {
    /// The array itself.
    pub(super) pick: Pick,
    /// Leads to the records of its elements.
    pub(super) head: u16,
}

/// How a column is filled from a record.
#[derive(Debug)]
pub(super) enum Fill {
    Nothing,
    Value(Box<[Pick]>),
    Struct(There, Box<[Fill]>),
    /// The first array that is there, and its item.
    List(Box<[(ListPick, Fill)]>),
    Source(Box<[Pick]>),
    /// Milliseconds, and the time in words.
    CreatedAt(Box<[Pick]>, Box<[Pick]>),
    TweetId,
    Role,
    IngestPath,
    Api,
    ReceivedAt,
    Raw,
    V1(Box<Fill1>),
    V2(Box<Fill2>),
    /// The first one where this value is there, else the second one.
    Either(Pick, Box<[Fill; 2]>),
}

/// When a struct is there, and which record its members are in.
#[derive(Debug)]
pub(super) enum There {
    /// Where this object is there and not empty.
    Object(Pick),
    /// Where one of these is there.
    AnyOf(Box<[Pick]>),
    /// Where the array has an element: the members are in that.
    First(ListPick),
}

/// How the rows of one kind are filled, a [`Fill`] a column.
pub(super) type RowPlan = Box<[Fill]>;

/// All that reading lines needs to know.
#[derive(Debug)]
pub(super) struct Plan {
    /// What to keep of a line of either form.
    pub(super) line: Shape,
    pub(super) head: Head,
    pub(super) v1: RowPlan,
    pub(super) v2: RowPlan,
    pub(super) includes: Includes,
    /// For posts that are only referred to; empty where they are not asked for.
    pub(super) v1_referenced: Box<[Referenced]>,
    pub(super) v2_referenced: Option<RowPlan>,
    /// For lines that are a v2 post themselves; `None` in that plan itself.
    pub(super) flat: Option<Box<Plan>>,
    /// In the plan of those: where a post embeds others, their records and texts; empty where they are not asked for.
    pub(super) embedded: Box<[(ListPick, u16)]>,
}

/// A status within a v1.1 status.
#[derive(Debug)]
pub(super) struct Referenced {
    pub(super) object: Pick,
    /// Its `id_str` and `id`.
    pub(super) ids: Box<[Pick]>,
    pub(super) fills: RowPlan,
}

/// What makes a line a tweet.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) data: u16,
    pub(super) data_id: Pick,
    pub(super) data_text: u16,
    pub(super) text: u16,
    pub(super) full_text: u16,
    /// `id_str` and `id`.
    pub(super) ids: Box<[Pick]>,
    /// Members that only a post of v2 has, see [`crate::tweet::Api::V2`].
    pub(super) marks_of_v2: Box<[u16]>,
}

/// What [`crate::tweet::scan`] goes by too.
const MARKS_OF_V2: [&str; 8] = [
    "author_id",
    "edit_history_tweet_ids",
    "edit_history_post_ids",
    "public_metrics",
    "note_tweet",
    "note_post",
    "referenced_tweets",
    "referenced_posts",
];

impl Head {
    /// `prefix` leads to a v2 post.
    fn new(line: &mut Draft, prefix: &str) -> Head {
        Head {
            data: line.value("data"),
            data_id: pick(line, prefix, "id"),
            data_text: line.value(&format!("{prefix}text")),
            text: line.value("text"),
            full_text: line.value("full_text"),
            ids: picks(line, "", &["id_str", "id"]),
            marks_of_v2: MARKS_OF_V2.iter().map(|mark| line.value(mark)).collect(),
        }
    }
}

impl Plan {
    pub(super) fn new(columns: &[Selected], referenced: bool) -> Plan {
        let mut line = Draft::default();
        let head = Head::new(&mut line, "data.");
        let mut includes = Includes::of_stream();
        let mut scope = Scope { api: Api::V1, is_flat: false, prefix: "", includes: &mut includes };
        let v1 = scope.rows(columns, &mut line);
        let mut v1_referenced = Vec::new();
        let mut v2_referenced = None;
        if referenced {
            for (object, prefix) in [("retweeted_status", "retweeted_status."), ("quoted_status", "quoted_status.")] {
                scope.prefix = prefix;
                let ids = picks(&mut line, prefix, &["id_str", "id"]);
                let (object, fills) = (pick(&mut line, "", object), scope.rows(columns, &mut line));
                v1_referenced.push(Referenced { object, ids, fills });
            }
        }
        (scope.api, scope.prefix) = (Api::V2, "data.");
        let v2 = scope.rows(columns, &mut line);
        if referenced {
            scope.prefix = "";
            scope.includes.posts.use_it();
            let mut post = std::mem::take(&mut scope.includes.posts.draft);
            v2_referenced = Some(scope.rows(columns, &mut post));
            scope.includes.posts.draft = post;
        }
        includes.attach(&mut line);
        let flat = Some(Box::new(Plan::flat(columns, referenced)));
        let v1_referenced = v1_referenced.into();
        Plan {
            line: line.freeze(),
            head,
            v1,
            v2,
            includes,
            v1_referenced,
            v2_referenced,
            flat,
            embedded: Box::default(),
        }
    }

    /// For lines that are a v2 post themselves, alone or with what it refers to embedded in it. Such lines are walked once more
    /// for it, so that the others do not pay for its paths.
    fn flat(columns: &[Selected], referenced: bool) -> Plan {
        let mut line = Draft::default();
        let head = Head::new(&mut line, "");
        let mut includes = Includes::embedded();
        let mut scope = Scope { api: Api::V2, is_flat: true, prefix: "", includes: &mut includes };
        let v2 = scope.rows(columns, &mut line);
        let mut embedded = Vec::new();
        if referenced {
            scope.includes.posts.use_it();
            let text = scope.includes.posts.draft.value("text");
            let lists = ["referenced_tweets", "referenced_posts"].map(|path| scope.list(&mut line, path).0);
            embedded.extend(lists.map(|list| (list, text)));
        }
        includes.attach(&mut line);
        let line = line.freeze();
        let (embedded, v1_referenced) = (embedded.into(), Box::default());
        Plan { line, head, v1: Box::default(), v2, includes, v1_referenced, v2_referenced: None, flat: None, embedded }
    }
}

/// What a column's paths are relative to.
pub(super) struct Scope<'a> {
    api: Api,
    /// Whether the post is the line itself, and holds what it refers to.
    pub(super) is_flat: bool,
    prefix: &'a str,
    pub(super) includes: &'a mut Includes,
}

impl Scope<'_> {
    pub(super) fn at<'b>(&'b mut self, prefix: &'b str) -> Scope<'b> {
        Scope { api: self.api, is_flat: self.is_flat, prefix, includes: self.includes }
    }

    fn rows(&mut self, columns: &[Selected], draft: &mut Draft) -> RowPlan {
        columns.iter().map(|column| self.column(column, draft)).collect()
    }

    pub(super) fn members(&mut self, column: &Selected, draft: &mut Draft) -> Box<[Fill]> {
        column.members.iter().map(|member| self.column(member, draft)).collect()
    }

    pub(super) fn pick(&self, draft: &mut Draft, path: &str) -> Pick {
        pick(draft, self.prefix, path)
    }

    pub(super) fn picks(&self, draft: &mut Draft, paths: &[&str]) -> Box<[Pick]> {
        picks(draft, self.prefix, paths)
    }

    /// The array at `path`, and the record of its elements.
    pub(super) fn list<'d>(&self, draft: &'d mut Draft, path: &str) -> (ListPick, &'d mut Draft) {
        let pick = self.pick(draft, path);
        let (head, elements) = draft.list(&pick.path);
        (ListPick { pick, head }, elements)
    }

    fn wire(&self, column: &Column) -> Wire {
        match self.api {
            Api::V1 => column.v1,
            Api::V2 => column.v2,
        }
    }

    fn column(&mut self, column: &Selected, draft: &mut Draft) -> Fill {
        match (self.wire(column.column), &column.column.kind) {
            (Wire::Nowhere, _) => Fill::Nothing,
            // The line's own members tell nothing of a post that it only includes.
            (Wire::At([path, ..]), _) if path.starts_with('/') && self.prefix.is_empty() && !self.is_flat => {
                Fill::Nothing
            }
            (Wire::At(paths), Kind::List(_)) => {
                let arrays = paths.iter().map(|path| {
                    let (array, elements) = self.list(draft, path);
                    let item = self.item(&column.members[0], elements, &array.pick.path);
                    (array, item)
                });
                Fill::List(arrays.collect())
            }
            (Wire::At(paths), _) => Fill::Value(self.picks(draft, paths)),
            (Wire::Inside(path), _) => self.object(path, column, draft),
            (Wire::Beside, Kind::Struct(all)) => {
                let paths = all.iter().filter_map(|member| match self.wire(member) {
                    Wire::At(paths) => Some(paths),
                    _ => None,
                });
                let any = paths.flatten().map(|path| self.pick(draft, path)).collect();
                Fill::Struct(There::AnyOf(any), self.members(column, draft))
            }
            (Wire::First(path), _) => {
                let (array, element) = self.list(draft, path);
                Fill::Struct(There::First(array), self.at("").members(column, element))
            }
            (Wire::Own(own), _) => self.own(own, column, draft),
            (Wire::Beside, kind) => unreachable!("{kind:?} is no struct"),
        }
    }

    /// The item of the list at `path`, in the record of an element.
    pub(super) fn item(&mut self, item: &Selected, element: &mut Draft, path: &str) -> Fill {
        let mut scope = self.at("");
        let own = Pick { path: path.into(), ..scope.pick(element, "") };
        match (&item.column.kind, scope.wire(item.column)) {
            (Kind::Struct(_), _) => Fill::Struct(There::Object(own), scope.members(item, element)),
            (_, Wire::At([""])) => Fill::Value(Box::new([own])),
            _ => scope.column(item, element),
        }
    }

    fn own(&mut self, own: Own, column: &Selected, draft: &mut Draft) -> Fill {
        match own {
            Own::TweetId => Fill::TweetId,
            Own::Role => Fill::Role,
            Own::IngestPath => Fill::IngestPath,
            Own::Api => Fill::Api,
            Own::ReceivedAt => Fill::ReceivedAt,
            Own::Raw => Fill::Raw,
            Own::Source => Fill::Source(self.picks(draft, &["source"])),
            Own::CreatedAt => Fill::CreatedAt(
                if self.api == Api::V1 { self.picks(draft, &["timestamp_ms"]) } else { Box::default() },
                self.picks(draft, &["created_at"]),
            ),
            Own::Author2 if self.is_flat => self.object("author", column, draft),
            Own::ReplyUsername2 if self.is_flat => Fill::Value(self.picks(draft, &["in_reply_to_user.username"])),
            Own::Poll2 if self.is_flat => {
                let embedded = self.object("attachments.poll", column, draft);
                self.either("attachments.poll", embedded, own, column, draft)
            }
            Own::Place2 if self.is_flat => {
                let embedded = self.object("geo", column, draft);
                self.either("geo.id", embedded, own, column, draft)
            }
            Own::TextComplete1 | Own::TweetType1 | Own::Bbox1 => Fill::V1(Box::new(Fill1::new(own, self, draft))),
            _ => Fill::V2(Box::new(Fill2::new(own, self, column, draft))),
        }
    }
}

impl Scope<'_> {
    /// A struct of the members of the object at `path`.
    fn object(&mut self, path: &str, column: &Selected, draft: &mut Draft) -> Fill {
        let object = self.pick(draft, path);
        let prefix = format!("{}{path}.", self.prefix);
        Fill::Struct(There::Object(object), self.at(&prefix).members(column, draft))
    }

    /// What is embedded, where the value at `path` is there, else what the id alone tells.
    fn either(&mut self, path: &str, embedded: Fill, own: Own, column: &Selected, draft: &mut Draft) -> Fill {
        let there = self.pick(draft, path);
        let by_id = Fill::V2(Box::new(Fill2::new(own, self, column, draft)));
        Fill::Either(there, Box::new([embedded, by_id]))
    }
}

pub(super) fn picks(draft: &mut Draft, prefix: &str, paths: &[&str]) -> Box<[Pick]> {
    paths.iter().map(|path| pick(draft, prefix, path)).collect()
}

/// Reads a path of [`super::mapping`] and asks for its value.
pub(super) fn pick(draft: &mut Draft, prefix: &str, path: &str) -> Pick {
    let (path, null_word) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
    let path = path.strip_prefix('/').map_or_else(|| format!("{prefix}{path}"), str::to_owned);
    let (path, element) = match path.strip_suffix(']').and_then(|path| path.rsplit_once('[')) {
        Some((array, element)) => (array.to_owned(), Some(element.parse().expect("our own paths hold numbers"))),
        None => (path, None),
    };
    let is_plain = element.is_none() && !null_word;
    Pick { slot: draft.value(&path), element, is_plain, is_ms: path.ends_with("_ms"), null_word, path: path.into() }
}
